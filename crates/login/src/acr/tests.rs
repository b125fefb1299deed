use proptest::prelude::*;
use sealstone_identity::AuthMethod::{
    self, HardwareKey, OneTimeCode, Password, Sms, SoftwareKey, Upstream, UserVerified,
};

use super::{Acr, Amr};

#[test]
fn r19_amr_and_acr_tell_what_happened() {
    let cases: [(&[AuthMethod], Option<Acr>, &[&str]); 11] = [
        (&[], None, &[]),
        (&[UserVerified], None, &["user"]),
        (&[Password], Some(Acr::OneFactor), &["pwd"]),
        (&[OneTimeCode], Some(Acr::OneFactor), &["otp"]),
        (&[OneTimeCode, Sms], Some(Acr::OneFactor), &["otp", "sms"]),
        (&[OneTimeCode, HardwareKey], Some(Acr::OneFactor), &["hwk", "otp"]),
        (
            &[Password, OneTimeCode],
            Some(Acr::TwoFactor),
            &["mfa", "otp", "pwd"],
        ),
        (
            &[Password, SoftwareKey],
            Some(Acr::TwoFactor),
            &["mfa", "pwd", "swk"],
        ),
        (&[HardwareKey], Some(Acr::OneFactor), &["hwk"]),
        (
            &[HardwareKey, UserVerified],
            Some(Acr::PhishingResistant),
            &["hwk", "mfa", "user"],
        ),
        (&[Upstream, OneTimeCode], Some(Acr::TwoFactor), &["mfa", "otp"]),
    ];
    for (methods, acr, values) in cases {
        let amr = Amr::of(methods.iter().copied());
        assert_eq!(amr.acr(), acr, "{methods:?}");
        assert_eq!(amr.values(), values, "{methods:?}");
    }
}

#[test]
fn r19_an_upstreams_mfa_counts_only_where_the_policy_believes_it() {
    let said = ["pwd".to_owned(), "mfa".to_owned()];
    let doubted = Amr::upstream(&said, false);
    assert_eq!(doubted.acr(), Some(Acr::OneFactor));
    assert_eq!(
        doubted.values(),
        ["pwd"],
        "`mfa` is not repeated where it is not believed"
    );
    let believed = Amr::upstream(&said, true);
    assert_eq!(believed.acr(), Some(Acr::TwoFactor));
    assert_eq!(believed.values(), ["mfa", "pwd"]);
    let silent = Amr::upstream(&[], true);
    assert_eq!(silent.acr(), Some(Acr::OneFactor));
    let claims_a_key = Amr::upstream(&["hwk".to_owned(), "user".to_owned()], true);
    assert_eq!(claims_a_key.acr(), Some(Acr::OneFactor), "its words are not ours");
    let with_code = doubted.and(&Amr::of([OneTimeCode]));
    assert_eq!(with_code.acr(), Some(Acr::TwoFactor));
    assert_eq!(with_code.values(), ["mfa", "otp", "pwd"]);
}

#[test]
fn an_upstreams_odd_values_are_left_out() {
    let said: Vec<String> = ["", "a b", "pwd\n", &"x".repeat(33), "otp"]
        .map(str::to_owned)
        .into();
    assert_eq!(Amr::upstream(&said, true).values(), ["otp"]);
    let many: Vec<String> = (0..100).map(|number| format!("a{number}")).collect();
    assert_eq!(Amr::upstream(&many, true).values().len(), super::MAX_UPSTREAM_AMR);
}

#[test]
fn names_are_parsed_letter_by_letter() {
    for acr in Acr::ALL {
        assert_eq!(Acr::parse(acr.as_str()), Some(acr));
        assert_eq!(serde_json::to_string(&acr).unwrap(), format!("\"{acr}\""));
    }
    for other in ["", "PHR", "phrh", "1", "urn:sealstone:acr:two-factor "] {
        assert_eq!(Acr::parse(other), None, "{other:?}");
    }
    assert!(Acr::OneFactor < Acr::TwoFactor && Acr::TwoFactor < Acr::PhishingResistant);
}

fn methods() -> impl Strategy<Value = Vec<AuthMethod>> {
    proptest::collection::vec(proptest::sample::select(AuthMethod::ALL.to_vec()), 0..6)
}

proptest! {
    #[test]
    fn r19_one_more_proof_never_makes_a_login_less_sure(some in methods(), more in methods()) {
        let few = Amr::of(some.clone());
        let many = few.clone().and(&Amr::of(more.clone()));
        prop_assert!(many.acr() >= few.acr());
        for value in few.values() {
            prop_assert!(many.values().contains(&value));
        }
        prop_assert_eq!(many.values().contains(&"mfa"), many.acr() >= Some(Acr::TwoFactor));
        let text = serde_json::to_string(&many).unwrap();
        prop_assert_eq!(serde_json::from_str::<Amr>(&text).unwrap(), many);
    }
}
