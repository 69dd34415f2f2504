//! Passwords of people: argon2id (RFC 9106), as PHC strings.
//!
//! Hashing is slow and takes 19 MiB on purpose. At most [`AT_ONCE`] run at the same time, on threads that serve no requests, and
//! few more may wait: whoever floods the sign-in page exhausts neither memory nor the processors.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::{clock::Randomness, error::Error};

/// Hashes that are computed at the same time.
const AT_ONCE: usize = 2;
/// Hashes that are computed or waited for.
const IN_LINE: usize = 64;
static RUNNING: Semaphore = Semaphore::const_new(AT_ONCE);
static LINE: Semaphore = Semaphore::const_new(IN_LINE);

/// Longer ones are wrong without looking: no password has so many bytes.
const MAX_BYTES: usize = Password::MAX * 4;

/// What [`verify`] compares with when there is nobody: it takes as long as a real one, and no password fits.
pub const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password that somebody may take: 12 to 128 characters, whichever they are (NIST SP 800-63B section 3.1.1.2).
#[derive(Clone)]
pub struct Password(String);

/// The password can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Easy to guess.
    #[error("must be at least 12 characters long")]
    TooShort,
    /// No use in being longer.
    #[error("must be at most 128 characters long")]
    TooLong,
}

impl Password {
    /// The fewest characters.
    pub const MIN: usize = 12;
    /// The most characters.
    pub const MAX: usize = 128;

    /// Checks the length.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        match text.chars().count() {
            n if n < Self::MIN => Err(PasswordError::TooShort),
            n if n > Self::MAX => Err(PasswordError::TooLong),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The hash to store.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many are waiting.
    pub async fn hash(self, random: &Randomness) -> Result<String, Error> {
        let salt: [u8; 16] = random.bytes();
        in_line(move || {
            let hash = Argon2::default().hash_password_with_salt(self.0.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|error| Error::Internal(format!("a password can't be hashed: {error}")))
        })
        .await?
    }

    /// Whether `hash` was made of it.
    ///
    /// # Errors
    /// As [`verify`].
    pub async fn is_that_of(&self, hash: &str) -> Result<bool, Error> {
        verify(&self.0, hash).await
    }
}

/// Never shows the password.
impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Whether `password` is the one that `hash` was made of.
///
/// # Errors
/// [`Error::Unavailable`] when too many are waiting.
pub async fn verify(password: &str, hash: &str) -> Result<bool, Error> {
    if password.len() > MAX_BYTES {
        return Ok(false);
    }
    let (password, hash) = (password.to_owned(), hash.to_owned());
    in_line(move || {
        let hash =
            PasswordHash::new(&hash).map_err(|error| Error::Internal(format!("a stored password hash: {error}")))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await?
}

async fn in_line<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let full = |_| Error::Unavailable("too many passwords wait to be hashed".to_owned());
    let _place = LINE.try_acquire().map_err(full)?;
    let closed = |_| Error::Internal("the line of password hashes is closed".to_owned());
    // Goes with the work: a caller who hangs up doesn't make room for another one.
    let running = RUNNING.acquire().await.map_err(closed)?;
    let work = tokio::task::spawn_blocking(move || {
        let _running = running;
        work()
    });
    work.await.map_err(|error| Error::Internal(format!("a password hash: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters() {
        assert_eq!(Password::parse("12345678901").unwrap_err(), PasswordError::TooShort);
        assert!(Password::parse("ünïcödé-text").is_ok());
        assert!(Password::parse(&"ü".repeat(128)).is_ok());
        assert_eq!(Password::parse(&"a".repeat(129)).unwrap_err(), PasswordError::TooLong);
        assert_eq!(format!("{:?}", Password::parse("correct horse battery").unwrap()), "Password(…)");
    }

    #[tokio::test]
    async fn only_the_right_one_fits() {
        let random = Randomness::seeded(1);
        let password = Password::parse("correct horse battery").unwrap();
        let hash = password.clone().hash(&random).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        assert!(verify("correct horse battery", &hash).await.unwrap());
        assert!(!verify("correct horse batterz", &hash).await.unwrap());
        assert!(!verify(&"a".repeat(100_000), &hash).await.unwrap());
        assert_ne!(hash, password.hash(&random).await.unwrap(), "the salt is new each time");
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let hash = Password::parse("correct horse battery").unwrap().hash(&Randomness::seeded(1)).await.unwrap();
        let cost = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
        let length = |hash: &str| hash.len();
        assert_eq!((cost(NOBODY), length(NOBODY)), (cost(&hash), length(&hash)));
        assert!(!verify("", NOBODY).await.unwrap());
    }
}
