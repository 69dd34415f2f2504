//! Which addresses may be called.
//!
//! A webhook's URL is typed by someone who does not run this server, so a request to it must not become a way into the
//! network that the server stands in. The rule is about addresses, never about names: whoever opens a connection asks
//! [`AddressPolicy::permits`] for the very address that it is about to connect to, after resolving, every time.
//!
//! What always holds:
//! - Only globally reachable unicast addresses are permitted: IPv4 less every special-purpose range, and of IPv6 only
//!   2000::/3 less its special-purpose ranges. What is unknown is refused.
//! - An IPv6 address that stands for an IPv4 address (mapped, compatible, translated, tunnelled) is refused whatever
//!   it stands for: there is no honest need for one.
//! - The operator's allowed networks are the only exception, and they win over every refusal.
//!
//! The ranges are those of the IANA special-purpose address registries, which the table below repeats with their documents.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Decides which addresses may be called.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
}

/// Why an address or a name may not be called; its text is a sentence for people without a full stop, such as
/// "10.0.0.1 is a private address (RFC 1918)".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject} is {kind} ({document})")]
pub struct Forbidden {
    subject: String,
    kind: &'static str,
    document: &'static str,
}

impl Forbidden {
    /// A refusal of a name that is known to mean this machine, without asking a resolver.
    pub(crate) fn loopback_name(name: &str) -> Forbidden {
        Forbidden { subject: name.to_owned(), kind: "a name of this machine", document: "RFC 6761" }
    }

    /// The kind of address, with its article: "a private address".
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The document that sets the address apart: "RFC 1918".
    pub fn document(&self) -> &'static str {
        self.document
    }
}

impl AddressPolicy {
    /// A policy that permits public addresses, and everything within `allowed` besides.
    pub fn new(allowed: Vec<IpNet>) -> AddressPolicy {
        AddressPolicy { allowed }
    }

    /// Whether this very address may be called.
    ///
    /// # Errors
    /// [`Forbidden`], with the most specific range that the address is in.
    pub fn permits(&self, ip: IpAddr) -> Result<(), Forbidden> {
        if self.allows(ip) {
            return Ok(());
        }
        let special = SPECIAL.iter().filter(|special| special.network.contains(&ip));
        if let Some(special) = special.max_by_key(|special| special.network.prefix_len()) {
            return Err(Forbidden { subject: ip.to_string(), kind: special.name, document: special.document });
        }
        match ip {
            IpAddr::V6(_) if !GLOBAL_UNICAST.contains(&ip) => {
                Err(Forbidden { subject: ip.to_string(), kind: "outside the public addresses", document: "RFC 4291" })
            }
            _ => Ok(()),
        }
    }

    /// A mapped address is the IPv4 address on the wire, so a network that holds either form allows it.
    fn allows(&self, ip: IpAddr) -> bool {
        let canonical = ip.to_canonical();
        self.allowed.iter().any(|network| network.contains(&ip) || network.contains(&canonical))
    }
}

/// The part of IPv6 from which public unicast addresses are given out.
const GLOBAL_UNICAST: IpNet = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// A range that is set apart from the public addresses.
struct Special {
    network: IpNet,
    /// What an address in it is, with an article, as [`Forbidden`] says it.
    name: &'static str,
    /// The document that sets it apart.
    document: &'static str,
}

const fn special(network: IpNet, name: &'static str, document: &'static str) -> Special {
    Special { network, name, document }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_len: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix_len)
}

const fn v6(s: [u16; 8], prefix_len: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])), prefix_len)
}

/// Every range that is not called. Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries, the multicast
/// address registries, and the retired ranges that equipment may still know. Where ranges overlap the longest prefix
/// names the address.
const SPECIAL: &[Special] = &[
    special(v4(0, 0, 0, 0, 8), "an address of \"this network\"", "RFC 791"),
    special(v4(0, 0, 0, 0, 32), "the unspecified address, which means this machine", "RFC 1122"),
    special(v4(10, 0, 0, 0, 8), "a private address", "RFC 1918"),
    special(v4(100, 64, 0, 0, 10), "a shared address of a provider's network", "RFC 6598"),
    special(v4(127, 0, 0, 0, 8), "a loopback address, which means this machine", "RFC 1122"),
    special(v4(169, 254, 0, 0, 16), "a link-local address", "RFC 3927"),
    special(v4(172, 16, 0, 0, 12), "a private address", "RFC 1918"),
    special(v4(192, 0, 0, 0, 24), "an address kept for protocol assignments", "RFC 6890"),
    special(v4(192, 0, 0, 0, 29), "an address kept for the change to IPv6", "RFC 7335"),
    special(v4(192, 0, 0, 8, 32), "the IPv4 dummy address", "RFC 7600"),
    special(v4(192, 0, 0, 9, 32), "the anycast address of port control", "RFC 7723"),
    special(v4(192, 0, 0, 10, 32), "the anycast address of TURN", "RFC 8155"),
    special(v4(192, 0, 0, 170, 31), "an address kept for NAT64 discovery", "RFC 7050"),
    special(v4(192, 0, 2, 0, 24), "an address for documentation", "RFC 5737"),
    special(v4(192, 31, 196, 0, 24), "an address of the AS112 service", "RFC 7535"),
    special(v4(192, 52, 193, 0, 24), "an address kept for multicast tunnels", "RFC 7450"),
    special(v4(192, 88, 99, 0, 24), "an address of the retired 6to4 relays", "RFC 7526"),
    special(v4(192, 168, 0, 0, 16), "a private address", "RFC 1918"),
    special(v4(192, 175, 48, 0, 24), "an address of the AS112 service", "RFC 7534"),
    special(v4(198, 18, 0, 0, 15), "an address for benchmarks", "RFC 2544"),
    special(v4(198, 51, 100, 0, 24), "an address for documentation", "RFC 5737"),
    special(v4(203, 0, 113, 0, 24), "an address for documentation", "RFC 5737"),
    special(v4(224, 0, 0, 0, 4), "a multicast address", "RFC 1112"),
    special(v4(240, 0, 0, 0, 4), "a reserved address", "RFC 1112"),
    special(v4(255, 255, 255, 255, 32), "the broadcast address", "RFC 919"),
    special(v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "an IPv4-compatible address", "RFC 4291"),
    special(v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "the unspecified address, which means this machine", "RFC 4291"),
    special(v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "the loopback address, which means this machine", "RFC 4291"),
    special(v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "an IPv4-mapped address", "RFC 4291"),
    special(v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "an IPv4-translated address", "RFC 2765"),
    special(v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), "a NAT64 address, which stands for an IPv4 address", "RFC 6052"),
    special(v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "a local NAT64 address", "RFC 8215"),
    special(v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard-only address", "RFC 6666"),
    special(v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "an address of the IPv6 dummy prefix", "RFC 9780"),
    special(v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "an address kept for protocol assignments", "RFC 2928"),
    special(v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "a Teredo address, which stands for an IPv4 address", "RFC 4380"),
    special(v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), "the anycast address of port control", "RFC 7723"),
    special(v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), "the anycast address of TURN", "RFC 8155"),
    special(v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), "the anycast address of service registration", "RFC 9665"),
    special(v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "an address for benchmarks", "RFC 5180"),
    special(v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), "an address kept for multicast tunnels", "RFC 7450"),
    special(v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), "an address of the AS112 service", "RFC 7535"),
    special(v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), "a retired ORCHID identifier", "RFC 4843"),
    special(v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), "an ORCHID identifier", "RFC 7343"),
    special(v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), "an identifier of a drone", "RFC 9374"),
    special(v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "an address for documentation", "RFC 3849"),
    special(v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "a 6to4 address, which stands for an IPv4 address", "RFC 3056"),
    special(v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "an address of the AS112 service", "RFC 7534"),
    special(v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), "an address of the retired 6bone", "RFC 3701"),
    special(v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "an address for documentation", "RFC 9637"),
    special(v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "a segment routing identifier", "RFC 9602"),
    special(v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a private address", "RFC 4193"),
    special(v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local address", "RFC 4291"),
    special(v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a retired site-local address", "RFC 3879"),
    special(v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address", "RFC 4291"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(allowed: &[&str]) -> AddressPolicy {
        AddressPolicy::new(allowed.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn why(ip: &str) -> String {
        policy(&[]).permits(ip.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_says_why_in_words() {
        assert_eq!(why("10.0.0.1"), "10.0.0.1 is a private address (RFC 1918)");
        assert_eq!(why("127.0.0.1"), "127.0.0.1 is a loopback address, which means this machine (RFC 1122)");
        assert_eq!(why("169.254.169.254"), "169.254.169.254 is a link-local address (RFC 3927)");
        assert_eq!(why("::ffff:8.8.8.8"), "::ffff:8.8.8.8 is an IPv4-mapped address (RFC 4291)");
        assert_eq!(why("fd00::1"), "fd00::1 is a private address (RFC 4193)");
        assert_eq!(why("4000::1"), "4000::1 is outside the public addresses (RFC 4291)");
    }

    #[test]
    fn the_most_specific_range_names_the_address() {
        assert!(why("0.0.0.0").contains("unspecified"));
        assert!(why("0.0.0.1").contains("this network"));
        assert!(why("255.255.255.255").contains("broadcast"));
        assert!(why("::1").contains("loopback"));
        assert!(why("::2").contains("compatible"));
        assert!(why("2001::1").contains("Teredo"));
        assert!(why("2001:1::2").contains("TURN"));
        assert!(why("2001:1ff::1").contains("protocol assignments"));
    }

    /// The first and the last address of every range are refused.
    #[test]
    fn every_range_is_refused_from_end_to_end() {
        for special in SPECIAL {
            for ip in [special.network.network(), special.network.broadcast()] {
                assert!(policy(&[]).permits(ip).is_err(), "{ip} of {}", special.network);
            }
            assert_eq!(special.network, special.network.trunc(), "host bits in {}", special.network);
        }
    }

    /// Beside the ranges, public addresses begin: nobody is refused for being near one.
    #[test]
    fn public_neighbours_are_permitted() {
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2400:cb00::1",
            "2606:4700::1111",
            "2620:4f:7fff::1",
            "2620:4f:8001::1",
            "2a00::1",
            "3ffd::1",
            "3fff:1000::1",
        ];
        for ip in public {
            assert_eq!(policy(&[]).permits(ip.parse().unwrap()), Ok(()), "{ip}");
        }
    }

    #[test]
    fn an_allowed_network_wins_and_reaches_no_further() {
        let policy = policy(&["10.1.0.0/16", "fd12::/16", "127.0.0.1/32"]);
        for ip in ["10.1.0.0", "10.1.255.255", "fd12::1", "127.0.0.1", "::ffff:10.1.2.3", "::ffff:127.0.0.1"] {
            assert_eq!(policy.permits(ip.parse().unwrap()), Ok(()), "{ip}");
        }
        for ip in ["10.0.255.255", "10.2.0.0", "fd13::1", "127.0.0.2", "::ffff:10.2.0.1", "::1"] {
            assert!(policy.permits(ip.parse().unwrap()).is_err(), "{ip}");
        }
    }

    /// Only the mapped form is the IPv4 address on the wire; the others go where a translator or a tunnel sends them.
    #[test]
    fn other_embeddings_are_allowed_only_as_themselves() {
        let ten = policy(&["10.0.0.0/8"]);
        for ip in ["::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2002:a00:1::1"] {
            assert!(ten.permits(ip.parse().unwrap()).is_err(), "{ip}");
        }
        assert_eq!(policy(&["64:ff9b::/96"]).permits("64:ff9b::10.0.0.1".parse().unwrap()), Ok(()));
        assert_eq!(policy(&["::ffff:0:0/96"]).permits("::ffff:10.0.0.1".parse().unwrap()), Ok(()));
    }

    proptest! {
        /// The standard library's own stable tests are a second opinion: what they call special is refused.
        #[test]
        fn agrees_with_the_standard_library_for_ipv4(bits: u32) {
            let ip = Ipv4Addr::from_bits(bits);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast()
                || ip.is_documentation() || ip.is_multicast() || ip.is_unspecified();
            if special {
                prop_assert!(AddressPolicy::default().permits(ip.into()).is_err());
            }
        }

        /// Whatever an IPv4 address is, no IPv6 address that stands for it is called.
        #[test]
        fn no_embedding_of_any_ipv4_address_is_permitted(bits: u32, low: u64) {
            let [a, b, c, d] = bits.to_be_bytes();
            let (high, low_half) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let forms = [
                Ipv4Addr::from_bits(bits).to_ipv6_mapped(),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low_half),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low_half),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low_half),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low_half),
                Ipv6Addr::from_bits((0x2002_u128 << 112) | (u128::from(bits) << 80) | u128::from(low)),
                Ipv6Addr::from_bits((0x2001_0000_u128 << 96) | (u128::from(low) << 32) | u128::from(!bits)),
            ];
            for ip in forms {
                prop_assert!(AddressPolicy::default().permits(ip.into()).is_err(), "{}", ip);
            }
        }

        /// Outside 2000::/3 nothing is permitted.
        #[test]
        fn only_global_unicast_ipv6_is_permitted(bits: u128) {
            let ip = Ipv6Addr::from_bits(bits);
            if bits >> 125 != 1 {
                prop_assert!(AddressPolicy::default().permits(ip.into()).is_err());
            }
        }

        /// An allowed network never makes another address forbidden, nor any address outside it permitted.
        #[test]
        fn allowing_changes_only_what_is_allowed(bits: u32, other: u32, prefix in 0_u8..=32) {
            let network = IpNet::from(ipnet::Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap().trunc());
            let ip = IpAddr::from(Ipv4Addr::from_bits(other));
            let before = AddressPolicy::default().permits(ip);
            let after = AddressPolicy::new(vec![network]).permits(ip);
            if network.contains(&ip) {
                prop_assert_eq!(after, Ok(()));
            } else {
                prop_assert_eq!(after, before);
            }
        }
    }
}
