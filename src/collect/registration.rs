//! Who may produce: a producer id is registered at first contact, by a signature that every collector with the
//! same secret can check. Nothing is stored.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::base64;
use crate::base::{ProducerId, Timestamp};

/// Signs producer ids.
pub(super) struct Signer {
    keyed: Hmac<Sha256>,
}

/// A signature and when it was made, as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) text: String,
    pub(super) signed_at: Timestamp,
}

impl Signer {
    /// How long a signature holds. A request that the network held back for longer is refused: the log may have
    /// forgotten by then what it would double.
    const VALID_MS: i64 = 3_600_000;
    /// How far the clocks of collectors that share a secret may lie apart.
    const SKEW_MS: i64 = 60_000;

    /// Signs with this secret; `None` where it is empty.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        Hmac::new_from_slice(secret).ok().map(|keyed| Self { keyed })
    }

    fn mac(&self, producer_id: ProducerId, signed_at: Timestamp, write_key: &str) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(b"hw1");
        mac.update(&producer_id.to_be_bytes());
        mac.update(&signed_at.to_be_bytes());
        mac.update(write_key.as_bytes());
        mac
    }

    pub(super) fn sign(&self, producer_id: ProducerId, now: Timestamp, write_key: &str) -> Signature {
        let bytes = self.mac(producer_id, now, write_key).finalize().into_bytes();
        Signature { text: base64::encode_url(&bytes), signed_at: now }
    }

    /// True for a signature of this producer id and write key that has not run out.
    pub(super) fn holds(
        &self,
        signature: &Signature,
        producer_id: ProducerId,
        now: Timestamp,
        write_key: &str,
    ) -> bool {
        let age = now.saturating_sub(signature.signed_at);
        (-Self::SKEW_MS..=Self::VALID_MS).contains(&age)
            && base64::decode_url(&signature.text).is_some_and(|bytes| {
                self.mac(producer_id, signature.signed_at, write_key).verify_slice(&bytes).is_ok()
            })
    }
}

/// How many registrations an address gets: so many a minute, and as many at once.
pub(super) struct Allowances {
    per_minute: i64,
    /// When the address will have its full allowance again.
    full_at: BTreeMap<String, Timestamp>,
}

impl Allowances {
    const ADDRESSES_MAX: usize = 10_000;
    const MINUTE_MS: i64 = 60_000;

    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute: i64::from(per_minute.max(1)), full_at: BTreeMap::new() }
    }

    /// Takes one registration of this address, or says how many milliseconds it has to wait for one. An address
    /// that nobody knows is not limited.
    pub(super) fn take(&mut self, address: &str, now: Timestamp) -> Result<(), u64> {
        if address.is_empty() {
            return Ok(());
        }
        let address = self.admit(address, now);
        let cost = (Self::MINUTE_MS / self.per_minute).max(1);
        // A clock that was set back must not lock anyone out.
        let full_at = self.full_at.get(address).map_or(now, |at| (*at).clamp(now, now + Self::MINUTE_MS));
        let wait = full_at + cost - (now + Self::MINUTE_MS);
        let granted = wait <= 0;
        self.full_at.insert(address.to_string(), if granted { full_at + cost } else { full_at });
        if granted { Ok(()) } else { Err(wait as u64) }
    }

    /// Whoever comes when the table is full shares one allowance.
    fn admit<'a>(&mut self, address: &'a str, now: Timestamp) -> &'a str {
        if self.full_at.len() >= Self::ADDRESSES_MAX && !self.full_at.contains_key(address) {
            self.full_at.retain(|_, at| *at > now);
            if self.full_at.len() >= Self::ADDRESSES_MAX {
                return "others";
            }
        }
        address
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_signature_holds_for_its_id_key_and_hour_only() {
        let signer = Signer::new(b"secret").unwrap();
        let signature = signer.sign(7, 1_000_000_000, "key");
        assert!(signer.holds(&signature, 7, 1_000_000_000, "key"));
        assert!(signer.holds(&signature, 7, 1_000_000_000 + HOUR, "key"));
        assert!(!signer.holds(&signature, 7, 1_000_000_001 + HOUR, "key"));
        assert!(!signer.holds(&signature, 7, 1_000_000_000 - 60_001, "key"), "signed in the future");
        assert!(!signer.holds(&signature, 8, 1_000_000_000, "key"));
        assert!(!signer.holds(&signature, 7, 1_000_000_000, "other"));
        assert!(!Signer::new(b"other").unwrap().holds(&signature, 7, 1_000_000_000, "key"));
        let moved = Signature { signed_at: 1_000_000_001, ..signature.clone() };
        assert!(!signer.holds(&moved, 7, 1_000_000_000, "key"));
        let cut = Signature { text: signature.text[..20].to_string(), ..signature };
        assert!(!signer.holds(&cut, 7, 1_000_000_000, "key"));
        assert!(Signer::new(b"").is_none());
    }

    #[test]
    fn the_signature_is_what_the_protocol_says() {
        let signature = Signer::new(b"secret").unwrap().sign(1 << 61, 1_700_000_000_000, "demo");
        assert_eq!(signature.text, "AJ6vR92CC-LBr9Dfm2MjbdRnWPhdmiWkV275dvckHyM");
    }

    #[test]
    fn an_address_has_its_allowance_and_gets_it_back() {
        let mut allowances = Allowances::new(60);
        assert!((0..60).all(|_| allowances.take("a", 0).is_ok()));
        assert_eq!(allowances.take("a", 0), Err(1_000));
        assert_eq!(allowances.take("a", 400), Err(600));
        assert_eq!(allowances.take("b", 0), Ok(()));
        assert_eq!(allowances.take("a", 1_000), Ok(()));
        assert!((0..1_000).all(|_| allowances.take("", 0).is_ok()), "an unknown address");
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut allowances = Allowances::new(60);
        assert!((0..60).all(|_| allowances.take("a", 1_000_000_000).is_ok()));
        assert_eq!(allowances.take("a", 0), Err(1_000));
        assert_eq!(allowances.take("a", 1_000), Ok(()));
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let mut allowances = Allowances::new(1);
        for address in 0..Allowances::ADDRESSES_MAX {
            assert_eq!(allowances.take(&address.to_string(), 0), Ok(()));
        }
        assert_eq!(allowances.take("late", 0), Ok(()));
        assert!(allowances.take("later", 0).is_err(), "shares the allowance of those who came late");
        assert_eq!(allowances.take("later", 60_001), Ok(()));
        assert!(allowances.full_at.len() < 10);
    }
}
