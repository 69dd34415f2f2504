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

/// Every way we know to write an address that must not be called, and some that may be: ranges, other number bases, short
/// forms, other digits, percent-encoding, IPv6 forms that stand for IPv4 addresses, user names, names of this machine.
const ADDRESSES: &str = include_str!("../../tests/addresses.txt");

#[test]
fn every_spelling_gets_its_verdict() {
    let policy = AddressPolicy::default();
    let (mut forms, mut wrong) = (0, Vec::new());
    for line in ADDRESSES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (expected, form) = line.split_once(' ').unwrap();
        let form: String = serde_json::from_str(form).unwrap();
        let verdict = match WebhookUrl::parse(&form) {
            Err(_) => "refused",
            Ok(url) if url.check(&policy).is_err() => "forbidden",
            Ok(url) if url.literal_address().is_some() => "public",
            Ok(_) => "name",
        };
        forms += 1;
        if verdict != expected {
            wrong.push((form, verdict, expected));
        }
    }
    assert_eq!(wrong, []);
    assert!(forms >= 500, "only {forms}");
}

#[test]
fn a_refusal_names_the_real_address() {
    let why = |text: &str| parse(text).check(&AddressPolicy::default()).unwrap_err().to_string();
    assert_eq!(why("http://0xa000001/"), "10.0.0.1 is a private address (RFC 1918)");
    assert_eq!(why("http://LOCALHOST:1/"), "localhost is a name of this machine (RFC 6761)");
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
