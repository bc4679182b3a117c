//! The hash of a document's content.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The SHA-256 of a document's bytes: equal for equal content, with any name and in any place.
///
/// The transaction id of a create is derived from it, so that the same document with the same rules is the same job, on
/// another machine and after a crash too.
///
/// ```
/// use classify_proto::machine::ContentKey;
///
/// let key = ContentKey::of(b"a document");
/// assert_eq!(key, ContentKey::of_reader(&b"a document"[..])?);
/// assert_eq!(key.to_string().len(), 64); // hexadecimal digits
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKey([u8; 32]);

impl ContentKey {
    /// Returns the hash of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Returns the hash of a reader's bytes, from its position to its end.
    ///
    /// # Errors
    ///
    /// Returns the errors of the reader.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = ContentHasher::new();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the key of a file or parse job that the service has already, from its id.
    ///
    /// It differs from the key of every document, including a document whose content is the id.
    #[must_use]
    pub fn of_id(id: &str) -> Self {
        let inner = Sha256::digest(id.as_bytes());
        Self(
            Sha256::new()
                .chain_update(b"id")
                .chain_update(inner)
                .finalize()
                .into(),
        )
    }

    /// Returns the document's shard, from 0 to `count - 1`: the same on every machine. Returns 0 if `count` is 0.
    #[must_use]
    pub fn shard(self, count: u32) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
            .checked_rem(count)
            .unwrap_or(0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKey({self})")
    }
}

impl FromStr for ContentKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        let is_valid = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
        if !is_valid {
            return Err(Error::invalid("key", "is not 64 hexadecimal digits"));
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0);
            *byte = u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap_or(0);
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ContentKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`ContentKey`] piece by piece.
#[derive(Clone, Default)]
pub struct ContentHasher(Sha256);

impl ContentHasher {
    /// Creates a hasher without any bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the key of all pieces together.
    #[must_use]
    pub fn finish(self) -> ContentKey {
        ContentKey(self.0.finalize().into())
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_key_is_sha256_of_content() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(ContentKey::of(b"abc").to_string(), abc);
        let mut hasher = ContentHasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), abc.parse().unwrap());
        let long = vec![7; 300_000];
        let read = ContentKey::of_reader(&*long).unwrap();
        assert_eq!(read, ContentKey::of(&long));
        let json = serde_json::to_string(&ContentKey::of(b"abc")).unwrap();
        assert_eq!(
            serde_json::from_str::<ContentKey>(&json).unwrap(),
            ContentKey::of(b"abc")
        );
        for text in ["", "ba", &"g".repeat(64), &"é".repeat(32)] {
            assert!(text.parse::<ContentKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn content_key_of_file_id_differs_from_content() {
        assert_ne!(ContentKey::of_id("dfl-1"), ContentKey::of(b"dfl-1"));
        assert_ne!(ContentKey::of_id("dfl-1"), ContentKey::of_id("dfl-2"));
    }

    #[test]
    fn content_key_shards_are_balanced() {
        let mut counts = [0; 4];
        for n in 0..400u32 {
            counts[ContentKey::of(&n.to_be_bytes()).shard(4) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (60..140).contains(count)),
            "{counts:?}"
        );
        assert_eq!(ContentKey::of(b"").shard(0), 0);
    }
}
