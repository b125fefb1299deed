use super::*;
use proptest::prelude::*;

/// RFC 8785, appendix B: octets of the number, and its text.
const NUMBERS: [(u64, Option<&str>); 24] = [
    (0x0000_0000_0000_0000, Some("0")),
    (0x8000_0000_0000_0000, Some("0")),
    (0x0000_0000_0000_0001, Some("5e-324")),
    (0x8000_0000_0000_0001, Some("-5e-324")),
    (0x7fef_ffff_ffff_ffff, Some("1.7976931348623157e+308")),
    (0xffef_ffff_ffff_ffff, Some("-1.7976931348623157e+308")),
    (0x4340_0000_0000_0000, Some("9007199254740992")),
    (0xc340_0000_0000_0000, Some("-9007199254740992")),
    (0x4430_0000_0000_0000, Some("295147905179352830000")),
    (0x7fff_ffff_ffff_ffff, None),
    (0x7ff0_0000_0000_0000, None),
    (0x44b5_2d02_c7e1_4af5, Some("9.999999999999997e+22")),
    (0x44b5_2d02_c7e1_4af6, Some("1e+23")),
    (0x44b5_2d02_c7e1_4af7, Some("1.0000000000000001e+23")),
    (0x444b_1ae4_d6e2_ef4e, Some("999999999999999700000")),
    (0x444b_1ae4_d6e2_ef4f, Some("999999999999999900000")),
    (0x444b_1ae4_d6e2_ef50, Some("1e+21")),
    (0x3eb0_c6f7_a0b5_ed8c, Some("9.999999999999997e-7")),
    (0x3eb0_c6f7_a0b5_ed8d, Some("0.000001")),
    (0x41b3_de43_5555_5553, Some("333333333.3333332")),
    (0x41b3_de43_5555_5554, Some("333333333.33333325")),
    (0x41b3_de43_5555_5555, Some("333333333.3333333")),
    (0xbecb_f647_612f_3696, Some("-0.0000033333333333333333")),
    (0x4314_3ff3_c1cb_0959, Some("1424953923781206.2")),
];

#[test]
fn numbers_of_the_specification() {
    for (octets, want) in NUMBERS {
        assert_eq!(float(f64::from_bits(octets)).as_deref(), want, "{octets:016x}");
    }
}

fn text_of(json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).unwrap();
    canonical(&value).map(|octets| String::from_utf8(octets).unwrap())
}

#[test]
fn documents_of_the_specification() {
    let cases = [
        // RFC 8785 §3.2.2 and §3.2.3; the first number as it is meant, since `serde_json` reads the last digits of some
        // only nearly.
        (
            r#"{"numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                "literals": [null, true, false]}"#,
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#,
        ),
        // Members by UTF-16 code units: a smiley comes before a Hebrew presentation form.
        (
            r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7}"#,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
        ),
        (
            r#"[56, {"d": true, "10": null, "1": []}, {}]"#,
            r#"[56,{"1":[],"10":null,"d":true},{}]"#,
        ),
        (
            r#""\u0008\u0009\u000a\u000c\u000d\u007f\u001b""#,
            "\"\\b\\t\\n\\f\\r\u{7f}\\u001b\"",
        ),
        ("-0.0", "0"),
        ("-0", "0"),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
    ];
    for (json, want) in cases {
        assert_eq!(text_of(json).as_deref(), Some(want), "{json}");
    }
}

#[test]
fn what_readers_would_change_has_no_form() {
    assert_eq!(text_of("9007199254740993"), None);
    assert_eq!(text_of("-9007199254740993"), None);
    let mut deep = Value::Null;
    for _ in 0..=DEEPEST {
        deep = Value::Array(vec![deep]);
    }
    assert_eq!(canonical(&deep), None);
    let Value::Array(mut inner) = deep else { panic!() };
    assert!(canonical(&inner.remove(0)).is_some());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1_i64 << 53)..=(1 << 53)).prop_map(Value::from),
        // Of few digits: `serde_json` reads those back as they were.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    /// Beside the printer of numbers of an ECMAScript engine.
    #[test]
    fn numbers_are_those_of_ecmascript(bits: u64) {
        let number = f64::from_bits(bits);
        let want = number.is_finite().then(|| ryu_js::Buffer::new().format_finite(number).to_owned());
        prop_assert_eq!(float(number), want);
    }

    /// Where the point moves most.
    #[test]
    fn numbers_of_a_few_digits_are_those_of_ecmascript(digits in 1_u64..100_000_000, exponent in -40_i32..40) {
        let number: f64 = format!("{digits}e{exponent}").parse().unwrap();
        let mut buffer = ryu_js::Buffer::new();
        prop_assert_eq!(float(number).unwrap(), buffer.format_finite(number));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_canonical_stays_so(value in value()) {
        let once = canonical(&value).unwrap();
        let read: Value = serde_json::from_slice(&once).unwrap();
        prop_assert_eq!(canonical(&read).unwrap(), once);
    }
}
