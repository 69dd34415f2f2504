//! How a delivery is signed, so that its receiver knows that it is ours, whole and fresh.
//!
//! The rules are those of Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): what is signed is
//! `id.timestamp.body`, where the id is the event's and the timestamp is the attempt's, in seconds. A webhook has a
//! [`Secret`], and for a while two when it is rotated: then both sign, the current one first, and a receiver takes
//! whichever it knows. A webhook may also have a [`SigningSeed`], for receivers that want to check with a public key.
//!
//! What always holds:
//! - A secret never appears in `Debug` output; [`Secret::reveal`] is the one way to its text.
//! - Checking takes the same time whether a signature is nearly right or not at all.
//! - A valid signature does not make an old message new: [`verify`] refuses times outside the tolerance.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{Signature, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// The name of the header with the event's id.
pub const ID_HEADER: &str = "webhook-id";
/// The name of the header with the time of the attempt, in seconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The name of the header with the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a message's time may be from the receiver's clock, as the specification recommends.
pub const TOLERANCE: Duration = Duration::from_mins(5);

const SECRET_PREFIX: &str = "whsec_";
const PUBLIC_KEY_PREFIX: &str = "whpk_";

/// The shared secret of a webhook: 24 to 64 bytes. Its text is `whsec_` and the bytes in base64.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a text or some bytes are not a [`Secret`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text does not begin as a secret does.
    #[error("A secret begins with whsec_.")]
    Prefix,
    /// What follows the prefix is not base64 (RFC 4648, section 4, with padding).
    #[error("A secret is whsec_ followed by base64.")]
    Base64,
    /// Too short to be safe or too long to be useful.
    #[error("A secret has 24 to 64 bytes, not {0}.")]
    Length(usize),
}

impl Secret {
    /// How many random bytes a new secret is made from.
    pub const NEW_LENGTH: usize = 32;

    /// From the bytes themselves, which must be random.
    ///
    /// # Errors
    /// [`SecretError::Length`] unless there are 24 to 64 of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Secret, SecretError> {
        match bytes.len() {
            24..=64 => Ok(Secret(bytes.to_vec())),
            length => Err(SecretError::Length(length)),
        }
    }

    /// The bytes themselves, to be stored encrypted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that a receiver is given: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Secret, SecretError> {
        let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(SecretError::Prefix)?;
        Secret::from_bytes(&STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

/// The private half of a webhook's ed25519 key pair (RFC 8032), made from 32 random bytes.
#[derive(Clone)]
pub struct SigningSeed(SigningKey);

impl SigningSeed {
    /// From the bytes themselves, which must be random.
    pub fn from_bytes(bytes: &[u8; 32]) -> SigningSeed {
        SigningSeed(SigningKey::from_bytes(bytes))
    }

    /// The bytes themselves, to be stored encrypted.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The text of the public half, which receivers check with: `whpk_` and base64.
    pub fn public_key(&self) -> String {
        format!("{PUBLIC_KEY_PREFIX}{}", STANDARD.encode(self.0.verifying_key().as_bytes()))
    }
}

impl fmt::Debug for SigningSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSeed(redacted)")
    }
}

/// The symmetric signature: `v1,` and HMAC-SHA256 in base64.
pub fn v1(secret: &Secret, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let mut signature = String::with_capacity(48);
    signature.push_str("v1,");
    STANDARD.encode_string(secret.mac(id, &timestamp_seconds.to_string(), body), &mut signature);
    signature
}

/// The asymmetric signature: `v1a,` and ed25519 in base64.
pub fn v1a(seed: &SigningSeed, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let timestamp = timestamp_seconds.to_string();
    let signature: Signature = seed.0.multipart_sign(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1a,{}", STANDARD.encode(signature.to_bytes()))
}

/// The whole `webhook-signature` header: a signature of each secret in the order given (the current one first), then
/// the asymmetric one, with spaces between.
pub fn header(
    secrets: &[&Secret],
    seed: Option<&SigningSeed>,
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> String {
    let symmetric = secrets.iter().map(|secret| v1(secret, id, timestamp_seconds, body));
    let asymmetric = seed.map(|seed| v1a(seed, id, timestamp_seconds, body));
    // Nearly always there is one.
    symmetric.chain(asymmetric).reduce(|header, signature| header + " " + &signature).unwrap_or_default()
}

/// Why a message is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// `webhook-timestamp` is not a whole number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// The time is further in the past than the tolerance: the message may be a replay.
    #[error("the message is too old")]
    TooOld,
    /// The time is further in the future than the tolerance: one of the clocks is wrong.
    #[error("the message is from the future")]
    TooNew,
    /// `webhook-signature` holds no signature of version `v1`.
    #[error("webhook-signature holds no v1 signature")]
    NoSignature,
    /// No signature is made with one of the secrets over this id, time and body.
    #[error("no signature matches")]
    NoMatch,
}

/// Checks a message as its receiver does: one `v1` signature of the header must be made with one of the secrets.
///
/// `id`, `timestamp` and `signatures` are the values of the three headers; `now_seconds` is the receiver's clock, in
/// seconds since the epoch. Signatures of other versions are passed over, as the specification asks.
///
/// # Errors
/// [`VerifyError`] says which check failed. The time is checked first.
pub fn verify(
    secrets: &[&Secret],
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now_seconds: i64,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    let seconds: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if seconds.abs_diff(now_seconds) > tolerance.as_secs() {
        return Err(if seconds < now_seconds { VerifyError::TooOld } else { VerifyError::TooNew });
    }
    // The text of the header is what was signed: "+5" and "5" are one number but two messages.
    let expected: Vec<_> = secrets.iter().map(|secret| secret.mac(id, timestamp, body)).collect();
    let mut given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")).peekable();
    if given.peek().is_none() {
        return Err(VerifyError::NoSignature);
    }
    // Every pair is compared, so that neither which one matches nor how nearly shows in the time taken.
    let mut matched = Choice::from(0);
    for signature in given.filter_map(|encoded| STANDARD.decode(encoded).ok()) {
        for mac in &expected {
            matched |= mac.as_slice().ct_eq(&signature);
        }
    }
    if matched.into() { Ok(()) } else { Err(VerifyError::NoMatch) }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::VerifyingKey;
    use http::HeaderMap;
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    use super::*;

    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes(&[byte; 32]).unwrap()
    }

    /// The example of the specification's own libraries.
    #[test]
    fn the_known_example_has_the_known_signature() {
        let secret: Secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse().unwrap();
        assert_eq!(
            v1(&secret, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, BODY),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    /// The library of the specification takes what we sign; it reads the real clock.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the other library compares with the real clock")]
    fn the_reference_library_verifies_our_header() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let (current, previous, seed) = (secret(1), secret(2), SigningSeed::from_bytes(&[3; 32]));
        let mut headers = HeaderMap::new();
        headers.insert(ID_HEADER, "evt_1".parse().unwrap());
        headers.insert(TIMESTAMP_HEADER, now.to_string().parse().unwrap());
        let signatures = header(&[&current, &previous], Some(&seed), "evt_1", now, BODY);
        headers.insert(SIGNATURE_HEADER, signatures.parse().unwrap());
        for known in [&current, &previous] {
            Webhook::new(&known.reveal()).unwrap().verify(BODY, &headers).unwrap();
        }
        assert!(Webhook::new(&secret(4).reveal()).unwrap().verify(BODY, &headers).is_err());
    }

    #[test]
    fn the_header_has_the_current_secret_first_and_the_public_key_last() {
        let (current, previous, seed) = (secret(1), secret(2), SigningSeed::from_bytes(&[3; 32]));
        let expected =
            [v1(&current, "evt_1", 5, BODY), v1(&previous, "evt_1", 5, BODY), v1a(&seed, "evt_1", 5, BODY)].join(" ");
        assert_eq!(header(&[&current, &previous], Some(&seed), "evt_1", 5, BODY), expected);
        assert_eq!(header(&[&current], None, "evt_1", 5, BODY), v1(&current, "evt_1", 5, BODY));
    }

    #[test]
    fn the_public_key_checks_the_asymmetric_signature() {
        let seed = SigningSeed::from_bytes(&[7; 32]);
        let public = STANDARD.decode(seed.public_key().strip_prefix("whpk_").unwrap()).unwrap();
        let public = VerifyingKey::from_bytes(&public.try_into().unwrap()).unwrap();
        let signature = STANDARD.decode(v1a(&seed, "evt_1", 5, BODY).strip_prefix("v1a,").unwrap()).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        public.verify_strict(&[b"evt_1.5.", BODY].concat(), &signature).unwrap();
        assert!(public.verify_strict(&[b"evt_1.6.", BODY].concat(), &signature).is_err());
        assert_eq!(SigningSeed::from_bytes(seed.as_bytes()).public_key(), seed.public_key());
    }

    #[test]
    fn secrets_are_read_strictly_and_never_shown_by_accident() {
        assert_eq!("C2FVsBQIhrscChlQIMV+b5sSYspob7oD".parse::<Secret>().unwrap_err(), SecretError::Prefix);
        assert_eq!("whsec_not base64".parse::<Secret>().unwrap_err(), SecretError::Base64);
        assert_eq!("whsec_AAAA".parse::<Secret>().unwrap_err(), SecretError::Length(3));
        assert_eq!(Secret::from_bytes(&[0; 23]).unwrap_err(), SecretError::Length(23));
        assert_eq!(Secret::from_bytes(&[0; 65]).unwrap_err(), SecretError::Length(65));
        assert!(Secret::from_bytes(&[0; 24]).is_ok() && Secret::from_bytes(&[0; 64]).is_ok());
        assert_eq!(format!("{:?}", secret(1)), "Secret(redacted)");
        assert_eq!(format!("{:?}", SigningSeed::from_bytes(&[1; 32])), "SigningSeed(redacted)");
    }

    #[test]
    fn each_check_has_its_own_error() {
        let secret = secret(1);
        let check = |timestamp: &str, signatures: &str, now: i64| {
            verify(&[&secret], "evt_1", timestamp, signatures, BODY, now, TOLERANCE)
        };
        let good = v1(&secret, "evt_1", 1000, BODY);
        assert_eq!(check("1000", &good, 1000), Ok(()));
        assert_eq!(check("1000", &good, 1300), Ok(()));
        assert_eq!(check("1000", &good, 700), Ok(()));
        assert_eq!(check("1000", &good, 1301), Err(VerifyError::TooOld));
        assert_eq!(check("1000", &good, 699), Err(VerifyError::TooNew));
        assert_eq!(check("soon", &good, 1000), Err(VerifyError::Timestamp));
        assert_eq!(check("", &good, 1000), Err(VerifyError::Timestamp));
        assert_eq!(check(&i64::MIN.to_string(), &good, i64::MAX), Err(VerifyError::TooOld));
        assert_eq!(check("+1000", &good, 1000), Err(VerifyError::NoMatch));
        assert_eq!(check("1000", "", 1000), Err(VerifyError::NoSignature));
        assert_eq!(check("1000", &good.replace("v1,", "v2,"), 1000), Err(VerifyError::NoSignature));
        assert_eq!(check("1000", &good[..good.len() - 4], 1000), Err(VerifyError::NoMatch));
        assert_eq!(check("1000", "v1,", 1000), Err(VerifyError::NoMatch));
        assert_eq!(check("1000", "v1,?? v1a,AAAA", 1000), Err(VerifyError::NoMatch));
        assert_eq!(verify(&[], "evt_1", "1000", &good, BODY, 1000, TOLERANCE), Err(VerifyError::NoMatch));
    }

    proptest! {
        /// Ours and the reference library's signatures are the same bytes, and each is verified by ours.
        #[test]
        fn signs_like_the_reference_library(
            key in prop::collection::vec(any::<u8>(), 24..=64), id in "[a-z0-9_]{1,40}", at in 0..4_000_000_000_i64, body: String,
        ) {
            let secret = Secret::from_bytes(&key).unwrap();
            let theirs = Webhook::new(&secret.reveal()).unwrap().sign(&id, at, body.as_bytes()).unwrap();
            prop_assert_eq!(&v1(&secret, &id, at, body.as_bytes()), &theirs);
            prop_assert_eq!(verify(&[&secret], &id, &at.to_string(), &theirs, body.as_bytes(), at, TOLERANCE), Ok(()));
        }

        /// Changing any part of what was signed, or the signature, is noticed.
        #[test]
        fn any_change_is_noticed(body in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let secret = secret(9);
            let good = v1(&secret, "evt_1", 1000, &body);
            let mut changed = body.clone();
            let at = at.index(body.len());
            changed[at] ^= 1 << bit;
            let check = |secret: &Secret, id: &str, timestamp: &str, body: &[u8]| {
                verify(&[secret], id, timestamp, &good, body, 1000, TOLERANCE)
            };
            prop_assert_eq!(check(&secret, "evt_1", "1000", &body), Ok(()));
            prop_assert_eq!(check(&secret, "evt_1", "1000", &changed), Err(VerifyError::NoMatch));
            prop_assert_eq!(check(&secret, "evt_2", "1000", &body), Err(VerifyError::NoMatch));
            prop_assert_eq!(check(&secret, "evt_1", "1001", &body), Err(VerifyError::NoMatch));
            prop_assert_eq!(check(&self::secret(8), "evt_1", "1000", &body), Err(VerifyError::NoMatch));
        }

        /// The text of a secret is read back as the same secret; nonsense is refused without a panic.
        #[test]
        fn secrets_round_trip(key in prop::collection::vec(any::<u8>(), 24..=64), noise: String) {
            let secret = Secret::from_bytes(&key).unwrap();
            prop_assert_eq!(secret.reveal().parse::<Secret>(), Ok(secret));
            let _ = noise.parse::<Secret>();
            let _ = verify(&[], &noise, &noise, &noise, noise.as_bytes(), 0, TOLERANCE);
        }
    }
}
