//! Random bytes from the driver.

use serde::{Deserialize, Serialize};

/// 16 random bytes from the driver. Transaction ids, multipart boundaries and jitter are derived from them.
///
/// The core has no random generator. A driver fills the bytes from the operating system's generator, once per machine.
///
/// ```
/// use classify_proto::Seed;
///
/// let seed = Seed::new([7; 16]); // from the operating system in a program
/// assert_eq!(seed.derive(1), seed.derive(1));
/// assert_ne!(seed.derive(1), seed.derive(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed([u64; 2]);

impl Seed {
    /// Creates a seed from 16 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        let (left, right) = bytes.split_at(8);
        let half = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte))
        };
        Self([half(left), half(right)])
    }

    /// Returns another seed that depends only on this one and `label`, such as one per document of a run.
    #[must_use]
    pub fn derive(self, label: u64) -> Self {
        let [left, right] = self.0;
        Self([mix(left ^ mix(label)), mix(right.wrapping_add(mix(!label)))])
    }

    /// The seed as 32 hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        format!("{:016x}{:016x}", self.0[0], self.0[1])
    }

    /// A pseudorandom number that depends only on the seed and `step`.
    pub(crate) fn number(self, step: u64) -> u64 {
        mix(self.0[0] ^ mix(self.0[1].wrapping_add(step)))
    }
}

/// The finalizer of `SplitMix64`: each bit of the input changes about half of the output's bits.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_derived_values_differ() {
        let seed = Seed::new([7; 16]);
        assert_ne!(seed.derive(0), seed.derive(1));
        assert_ne!(seed.derive(0), seed);
        assert_eq!(seed.hex().len(), 32);
        assert_ne!(seed.number(0), seed.number(1));
    }
}
