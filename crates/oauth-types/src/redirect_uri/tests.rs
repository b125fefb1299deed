use super::{RedirectUri, RedirectUriKind};

#[test]
fn kinds() {
    use RedirectUriKind::{Http, Https, Loopback, PrivateUse};
    for (text, kind) in [
        ("https://app.example/cb", Https),
        ("https://APP.example:8443/cb?a=1&b=2", Https),
        ("https://[2001:db8::1]/cb", Https),
        ("https://app.example", Https),
        ("http://app.example/cb", Http),
        ("http://127.0.0.2/cb", Http),
        ("http://127.1/cb", Http),
        ("http://localhost.evil.example/cb", Http),
        ("http://127.0.0.1/cb", Loopback),
        ("http://127.0.0.1:51004/cb", Loopback),
        ("http://[::1]:1/cb", Loopback),
        ("http://localhost/cb", Loopback),
        ("com.example.app:/cb", PrivateUse),
        ("com.example.app://cb", PrivateUse),
    ] {
        assert_eq!(RedirectUri::parse(text).unwrap().kind(), kind, "{text}");
    }
}
