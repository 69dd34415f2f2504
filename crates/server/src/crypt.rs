//! Secrets at rest: sealed when they must be read again, hashed when they need only be recognised.
//!
//! Sealing is XChaCha20-Poly1305 under the master key with a random nonce; the additional data names the workspace, the
//! table's field and the row, so that a sealed value copied to another row can't be opened there.

use std::{
    io::{Read, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

use crate::clock::Randomness;

const NONCE: usize = 24;
/// More than any key file has.
const MAX_FILE: u64 = 1024;

/// The key that seals all others.
#[derive(Clone)]
pub struct MasterKey(XChaCha20Poly1305);

/// The sealed value was made with another key, for another row, or was changed.
#[derive(Debug, thiserror::Error)]
#[error("a stored secret can't be opened: is this the master key that it was stored with?")]
pub struct OpenError;

impl MasterKey {
    /// From 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&bytes.into()))
    }

    /// Reads the key file; nothing when there is none.
    ///
    /// # Errors
    /// With a sentence for the operator.
    pub fn load(path: &Path) -> Result<Option<Self>, String> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(say("read", path, &error)),
        };
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| say("read", path, &error))?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        let key = bytes.map(Self::from_bytes);
        key.ok_or_else(|| format!("{} is not a master key file", path.display())).map(Some)
    }

    /// Makes a new key and its file (mode 0600, synced).
    ///
    /// # Errors
    /// With a sentence for the operator; also when there is such a file.
    pub fn create(path: &Path, random: &Randomness) -> Result<Self, String> {
        let bytes: [u8; 32] = random.bytes();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| say("make", path, &error))?;
        let text = format!("{}\n", URL_SAFE_NO_PAD.encode(bytes));
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        written.map_err(|error| {
            // Half a file would be taken for a damaged key.
            let _ = std::fs::remove_file(path);
            say("write", path, &error)
        })?;
        Ok(Self::from_bytes(bytes))
    }

    /// Seals `secret` for one place: the same `place` opens it again.
    pub fn seal(&self, random: &Randomness, place: &str, secret: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = random.bytes();
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), payload).expect("secrets are far shorter than the cipher's limit");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(OpenError)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| OpenError)?;
        self.0.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: place.as_bytes() }).map_err(|_| OpenError)
    }
}

fn say(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("can't {what} the master key file {}: {error}", path.display())
}

/// Makes the name of a file as durable as what is in it.
///
/// # Errors
/// When the folder can't be synced.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// A random token of 256 bits as text that fits in a URL or cookie.
pub fn token(random: &Randomness) -> String {
    URL_SAFE_NO_PAD.encode(random.bytes::<32>())
}

/// What is known of a token: its SHA-256. Tokens have 256 random bits, so a fast hash is right, and finding a row by it leaks
/// nothing of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// As it is stored: in hexadecimal.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

/// As [`TokenHash`], the way it is stored.
pub fn token_hash(token: &str) -> String {
    TokenHash::of(token).to_hex()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_in_its_place() {
        let (random, key) = (Randomness::seeded(1), MasterKey::from_bytes([7; 32]));
        let sealed = key.seal(&random, "ws_1/webhooks.secret/wh_1", b"whsec");
        assert_eq!(key.open("ws_1/webhooks.secret/wh_1", &sealed).unwrap(), b"whsec");
        assert!(key.open("ws_1/webhooks.secret/wh_2", &sealed).is_err());
        assert!(MasterKey::from_bytes([8; 32]).open("ws_1/webhooks.secret/wh_1", &sealed).is_err());
        assert!(key.open("ws_1/webhooks.secret/wh_1", &sealed[..10]).is_err());
        assert_ne!(sealed, key.seal(&random, "ws_1/webhooks.secret/wh_1", b"whsec"));
    }

    #[test]
    fn makes_its_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.key");
        assert!(MasterKey::load(&path).unwrap().is_none());
        let made = MasterKey::create(&path, &Randomness::from_system()).unwrap();
        let sealed = made.seal(&Randomness::seeded(1), "p", b"s");
        assert_eq!(MasterKey::load(&path).unwrap().unwrap().open("p", &sealed).unwrap(), b"s");
        assert!(MasterKey::create(&path, &Randomness::from_system()).is_err(), "it is never overwritten");
        std::fs::write(folder.path().join("other"), "no key").unwrap();
        let error = MasterKey::load(&folder.path().join("other")).err().unwrap();
        assert!(error.ends_with("is not a master key file"), "{error}");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap()) & 0o777, 0o600);
    }
}
