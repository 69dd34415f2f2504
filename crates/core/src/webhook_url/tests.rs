//! Tests of the webhook's URL: what is refused at the form, and every spelling of a forbidden address we know.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn good_urls_are_kept_in_normal_form() {
    let cases = [
        ("https://example.com/webhooks", "https://example.com/webhooks"),
        ("  https://example.com  \n", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A?b=C", "https://example.com/A?b=C"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("https://bücher.example/käse", "https://xn--bcher-kva.example/k%C3%A4se"),
        ("https://example.com/a/../b", "https://example.com/b"),
        ("https://example.com./x", "https://example.com./x"),
        ("https://my_host.internal/x", "https://my_host.internal/x"),
        ("https://[2606:4700:0:0::1111]/x", "https://[2606:4700::1111]/x"),
        ("https://example.com/?token=a%20b", "https://example.com/?token=a%20b"),
        ("https://example.com/a\\b", "https://example.com/a/b"),
    ];
    for (typed, normal) in cases {
        assert_eq!(parse(typed).as_str(), normal);
    }
}

#[test]
fn what_is_wrong_is_said() {
    use WebhookUrlError as E;
    let long_label = format!("https://{}.example/", "a".repeat(64));
    let long_name = format!("https://{}example/", "abcdefgh.".repeat(30));
    let long = format!("https://example.com/{}", "a".repeat(2029));
    let long_when_normal = format!("https://example.com/{}", "é".repeat(1000));
    let cases = [
        ("", E::Empty),
        (" \t\r\n", E::Empty),
        (&long, E::TooLong),
        (&long_when_normal, E::TooLong),
        ("https://exam ple.com/", E::InvisibleCharacter),
        ("https://example.com/a b", E::InvisibleCharacter),
        ("https://example.com/a\tb", E::InvisibleCharacter),
        ("https://example.com/\r\nHost: evil", E::InvisibleCharacter),
        ("java\nscript://example.com", E::InvisibleCharacter),
        ("https://example.com/\0", E::InvisibleCharacter),
        ("https://example.com/\u{a0}x", E::InvisibleCharacter),
        ("https://example.com/\u{2028}x", E::InvisibleCharacter),
        ("https://example.com/\u{85}x", E::InvisibleCharacter),
        ("example.com", E::Scheme),
        ("//example.com", E::Scheme),
        ("/webhooks", E::Scheme),
        ("localhost:8080/x", E::Scheme),
        ("ftp://example.com/", E::Scheme),
        ("ws://example.com/", E::Scheme),
        ("file:///etc/passwd", E::Scheme),
        ("javascript:alert(1)", E::Scheme),
        ("gopher://127.0.0.1:25/x", E::Scheme),
        ("data:text/plain,x", E::Scheme),
        ("unix:/run/docker.sock", E::Scheme),
        ("https://", E::NoHost),
        ("https:///", E::NoHost),
        ("https://?x", E::NoHost),
        ("https://:443/", E::NoHost),
        ("https://exa*mple.com/", E::Host),
        ("https://a..b/", E::Host),
        ("https://.example.com/", E::Host),
        ("https://127.0.0.1../", E::Host),
        ("https://./", E::Host),
        ("https://exam\"ple.com/", E::Host),
        ("https://{host}/", E::Host),
        ("https://exam<ple.com/", E::Host),
        ("https://exam%00ple.com/", E::Host),
        ("https://127.0.0.256/", E::Host),
        ("https://1.2.3.4.5/", E::Host),
        ("https://99999999999/", E::Host),
        ("https://[::1/", E::Host),
        ("https://[::1%25eth0]/", E::Host),
        ("https://[not-an-address]/", E::Host),
        (&long_label, E::Host),
        (&long_name, E::Host),
        ("https://example.com:0/", E::Port),
        ("https://example.com:65536/", E::Port),
        ("https://example.com:https/", E::Port),
        ("https://example.com:-1/", E::Port),
        ("https://user@example.com/", E::UserInfo),
        ("https://user:secret@example.com/", E::UserInfo),
        ("https://:secret@example.com/", E::UserInfo),
        ("https://example.com@127.0.0.1/", E::UserInfo),
        ("https://example.com/#", E::Fragment),
        ("https://example.com/a#b", E::Fragment),
    ];
    for (typed, error) in cases {
        assert_eq!(WebhookUrl::parse(typed), Err(error), "{typed:?}");
    }
}

#[test]
fn the_parts_are_those_to_connect_to() {
    let url = parse("https://Example.com:8443/a?b");
    assert_eq!((url.host_str(), url.port(), url.is_https()), ("example.com", 8443, true));
    assert_eq!((parse("http://a").port(), parse("https://a").port()), (80, 443));
    assert!(!parse("http://a").is_https());
    assert_eq!(parse("http://[::1]:81/").host_str(), "[::1]");
    assert_eq!(parse("http://8.8.8.8./").literal_address(), Some("8.8.8.8".parse().unwrap()));
    assert_eq!(parse("http://example.com/").literal_address(), None);
}

#[test]
fn it_is_a_string_in_json() {
    let url: WebhookUrl = serde_json::from_str("\" https://EXAMPLE.com \"").unwrap();
    assert_eq!(serde_json::to_string(&url).unwrap(), "\"https://example.com/\"");
    let error = serde_json::from_str::<WebhookUrl>("\"example.com\"").unwrap_err();
    assert_eq!(error.to_string(), "The URL must begin with https:// or http://.");
}

/// Every way we know to write an address that must not be called: ranges, other number bases, short forms, other
/// digits, percent-encoding, IPv6 forms that stand for IPv4 addresses, and names of this machine.
const FORBIDDEN: &[&str] = &[
    // This machine, in every spelling of IPv4 that the URL standard takes.
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.0.0.1:8080/admin",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.1./",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://127.127.127.127/",
    "http://2130706433/",
    "http://2130706433./",
    "http://2130706434/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://00000177.0.0.1/",
    "http://0177.0x0.0.1/",
    "http://127.0x1/",
    "http://127.0.0x0.1/",
    "http://127.01/",
    "http://127.000.000.001/",
    "http://127.0.0.0x1/",
    "http://0x7f.0.1/",
    "http://0177.1/",
    "http://127.65535/",
    "http://0x7f.0xffffff/",
    "http:127.0.0.1",
    "http:/127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:////127.0.0.1/",
    // Percent-encoding, full-width and other digits and dots that IDNA turns into plain ones.
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37%2E%30%2E%30%2E%31/",
    "http://1%327.0.0.1/",
    "http://0x7f%2e1/",
    "http://１２７.0.0.1/",
    "http://１２７．０．０．１/",
    "http://127。0。0。1/",
    "http://127｡0｡0｡1/",
    "http://①②⑦.0.0.1/",
    "http://127.0.0.1\\@example.com:99999/",
    "http://①②⑦。⓪。⓪。①/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "http://𝟙𝟚𝟟.0.0.1/",
    "http://¹²⁷.0.0.1/",
    "http://２１３０７０６４３３/",
    "http://０x7f000001/",
    "http://0ｘ7f.1/",
    "http://12\u{ad}7.0.0.1/",
    "http://127\u{200b}.0.0.1/",
    "http://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/",
    // The unspecified address and "this network", which many systems connect to themselves.
    "http://0/",
    "http://0./",
    "http://0.0/",
    "http://0.0.0.0/",
    "http://0.0.0.0:80/",
    "http://0.0.0.0./",
    "http://0x0/",
    "http://00/",
    "http://0x/",
    "http://0.1/",
    "http://0.1.2.3/",
    "http://0.255.255.255/",
    "http://1/",
    // Private networks.
    "http://10.0.0.1/",
    "http://10.0.0.0/",
    "http://10.255.255.255/",
    "http://10.1/",
    "http://167772161/",
    "http://0xa000001/",
    "http://0xa.0.0.1/",
    "http://012.0.0.1/",
    "http://01200000001/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://172.17.0.1/",
    "http://172.16.1/",
    "http://2886729729/",
    "http://0xac100001/",
    "http://0254.020.0.1/",
    "http://192.168.0.1/",
    "http://192.168.1/",
    "http://192.168.255.255/",
    "http://3232235521/",
    "http://0xc0a80001/",
    "http://0300.0250.0.1/",
    "http://192.11010049/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://100.100.100.200/latest/meta-data/",
    "http://1681915905/",
    // Cloud metadata services.
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254./",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://１６９.254.169.254/",
    "http://169.254.170.2/v2/credentials",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fe80::a9fe:a9fe]/",
    "http://192.0.0.192/",
    // The other special-purpose ranges of IPv4.
    "http://169.254.0.1/",
    "http://192.0.0.1/",
    "http://192.0.0.8/",
    "http://192.0.0.170/",
    "http://192.0.2.1/",
    "http://192.31.196.1/",
    "http://192.52.193.1/",
    "http://192.88.99.1/",
    "http://192.175.48.1/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://254.1.2.3/",
    "http://255.255.255.255/",
    "http://4294967295/",
    "http://0xffffffff/",
    "http://037777777777/",
    // This machine and private networks in IPv6.
    "http://[::1]/",
    "https://[::1]:8443/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000::0001]/",
    "http://[0::1]/",
    "http://[::0001]/",
    "http://[::]/",
    "http://[::0]/",
    "http://[0:0:0:0:0:0:0:0]/",
    "http://[::0.0.0.1]/",
    "http://[::0.0.0.0]/",
    "http://[fc00::1]/",
    "http://[fd00::1]/",
    "http://[FD12:3456::1]/",
    "http://[fdff:ffff:ffff::1]/",
    "http://[fe80::1]/",
    "http://[FE80::1]/",
    "http://[febf::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[ff0e::1]/",
    "http://[ffff::1]/",
    // IPv6 that stands for IPv4: mapped, compatible, translated, NAT64, 6to4, Teredo.
    "http://[::ffff:127.0.0.1]/",
    "http://[::FFFF:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/",
    "http://[::ffff:0.0.0.0]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:a00:1]/",
    "http://[::ffff:192.168.0.1]/",
    "http://[::ffff:172.16.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::10.0.0.1]/",
    "http://[::8.8.8.8]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::ffff:0:7f00:1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[64:ff9b:1:fffe::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2002:c0a8:1::1]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[2001::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    // The other special-purpose ranges of IPv6, and what is not given out to anybody.
    "http://[100::1]/",
    "http://[100:0:0:1::1]/",
    "http://[2001:1::1]/",
    "http://[2001:2::1]/",
    "http://[2001:3::1]/",
    "http://[2001:4:112::1]/",
    "http://[2001:10::1]/",
    "http://[2001:1f:ffff::1]/",
    "http://[2001:20::1]/",
    "http://[2001:2f::1]/",
    "http://[2001:30::1]/",
    "http://[2001:db8::1]/",
    "http://[2001:DB8:0::1]/",
    "http://[2620:4f:8000::1]/",
    "http://[3ffe::1]/",
    "http://[3fff::1]/",
    "http://[3fff:fff::1]/",
    "http://[5f00::1]/",
    "http://[4000::1]/",
    "http://[8000::1]/",
    "http://[e000::1]/",
    "http://[1::1]/",
    // Names of this machine.
    "http://localhost/",
    "https://localhost:8443/",
    "http://LOCALHOST/",
    "http://LocalHost./",
    "http://localhost./",
    "http://a.localhost/",
    "http://a.b.localhost./",
    "http://loc%61lhost/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://local\u{ad}host/",
    "http://localhost。/",
    "http://a。localhost/",
];

#[test]
fn every_spelling_of_a_forbidden_address_is_refused() {
    assert!(FORBIDDEN.len() >= 150, "only {}", FORBIDDEN.len());
    let policy = AddressPolicy::default();
    let permitted: Vec<_> = FORBIDDEN.iter().filter(|text| parse(text).check(&policy).is_ok()).collect();
    assert_eq!(permitted, Vec::<&&str>::new());
}

/// Spellings that some program, somewhere, reads as an address of this machine, and that are no URL for us at all.
#[test]
fn spellings_of_addresses_that_are_no_url_are_refused_too() {
    let texts = [
        "http://127.0.0.1../",
        "http://127..0.1/",
        "http://.127.0.0.1/",
        "http://0x7f.0.0.0.1/",
        "http://0xg.1/",
        "http://127.0.0.1%00/",
        "http://127.0.0.1%20/",
        "http://127.0.0.1%09/",
        "http://127.0.0.1\t/",
        "http://⑴⑵⑺.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://[::1%25lo]/",
        "http://[::1%lo]/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:127.1]/",
        "http://[::ffff:0x7f.0.0.1]/",
        "http://[::ffff:0177.0.0.1]/",
        "http://[127.0.0.1]/",
        "http://::1/",
        "http://[[::1]]/",
        "http://[::1]./",
        "http://4294967296/",
        "http://256.0.0.1/",
        "http://127.0.0.08/",
        "http://0b1111111.0.0.1/",
        "http://-127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://localhost../",
    ];
    let accepted: Vec<_> = texts.into_iter().filter_map(|text| WebhookUrl::parse(text).ok()).collect();
    assert_eq!(accepted, []);
}

#[test]
fn a_refusal_names_the_real_address() {
    let why = |text: &str| parse(text).check(&AddressPolicy::default()).unwrap_err().to_string();
    assert_eq!(why("http://0xa000001/"), "10.0.0.1 is a private address (RFC 1918)");
    assert_eq!(why("http://LOCALHOST:1/"), "localhost is a name of this machine (RFC 6761)");
}

#[test]
fn public_addresses_and_names_pass() {
    let urls = [
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://example.com/",
        "https://localhost.example.com/",
        "https://notlocalhost/",
        "https://127.0.0.1.example.com/",
        "https://10.example/",
    ];
    for text in urls {
        assert_eq!(parse(text).check(&AddressPolicy::default()), Ok(()), "{text}");
    }
}

#[test]
fn allowed_networks_let_this_machine_through() {
    let policy = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    for text in ["http://localhost:9000/", "http://a.localhost/", "http://127.1/", "http://[::ffff:127.0.0.1]/"] {
        assert_eq!(parse(text).check(&policy), Ok(()), "{text}");
    }
    for text in ["http://[::1]/", "http://10.0.0.1/"] {
        assert!(parse(text).check(&policy).is_err(), "{text}");
    }
}

proptest! {
    /// Whatever is typed, there is no panic, and what is accepted is a fixed point with all that the type promises.
    #[test]
    fn what_is_accepted_keeps_the_promises(rest in "\\PC{0,40}", host in "[a-z0-9.%_\\[\\]:@-]{0,20}") {
        for text in [rest.clone(), format!("http://{rest}"), format!("https://{host}/{rest}"), format!("http://{host}?{rest}")] {
            let Ok(url) = WebhookUrl::parse(&text) else { continue };
            prop_assert_eq!(WebhookUrl::parse(url.as_str()), Ok(url.clone()));
            prop_assert!(url.as_str().is_ascii() && url.as_str().len() <= WebhookUrl::MAX_LENGTH);
            prop_assert!(!url.as_str().contains(['#', ' ']) && !url.host_str().is_empty() && url.port() != 0);
            // The HTTP client reads the same host from it.
            let uri: http::Uri = url.as_str().parse().unwrap();
            prop_assert_eq!(uri.host(), Some(url.host_str()));
            prop_assert_eq!(uri.port_u16().unwrap_or(if url.is_https() { 443 } else { 80 }), url.port());
        }
    }

    /// Every IPv4 address is found in every spelling, so that none slips past the policy as a name.
    #[test]
    fn an_address_is_found_in_every_spelling(bits: u32) {
        let ip = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = ip.octets();
        let low = bits & 0xff_ffff;
        let wide: String = ip.to_string().chars().map(|c| match c {
            '0'..='9' => char::from_u32(c as u32 - '0' as u32 + '０' as u32).unwrap(),
            _ => '。',
        }).collect();
        let encoded: String = ip.to_string().bytes().map(|b| format!("%{b:02x}")).collect();
        let spellings = [
            ip.to_string(), format!("{ip}."), bits.to_string(), format!("{bits:#x}"), format!("0{bits:o}"),
            format!("{a}.{low}"), format!("{a}.{b}.{}", low & 0xffff), format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
            format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"), format!("{a:#X}.{low:#x}").replace("0X", "0x"), wide, encoded,
        ];
        for spelling in spellings {
            let url = WebhookUrl::parse(&format!("http://{spelling}/")).unwrap();
            prop_assert_eq!(url.literal_address(), Some(IpAddr::V4(ip)), "{}", spelling);
        }
    }
}
