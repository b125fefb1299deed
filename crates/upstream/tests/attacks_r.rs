//! Rows R of the attack catalogue, as far as they reach the login upstream.

use sealstone_login::{
    PendingUpstream, UpstreamCallback, UpstreamError, UpstreamLogin as _, UpstreamRefusal,
};
use serde_json::json;

use crate::support::{CODE, Lab, Log, ask, callback, secrets, shown, unseen};

fn is(error: &UpstreamError, refusal: UpstreamRefusal) -> bool {
    matches!(error, UpstreamError::Refused(found) if *found == refusal)
}

#[tokio::test]
async fn r01_a_state_that_is_not_this_logins_is_refused_before_anybody_is_asked() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    let own = pending.expose_state().to_owned();
    let (shorter, longer) = (&own[..own.len() - 1], format!("{own}A"));
    let (case, padded) = (own.to_lowercase(), format!(" {own}"));
    let asked = lab.fake.seen().len();
    for state in [
        None,
        Some(""),
        Some(shorter),
        Some(&longer),
        Some(&case),
        Some(&padded),
        Some(pending.expose_nonce()),
    ] {
        let state = state.filter(|state| *state != own);
        for error in [None, Some("access_denied")] {
            let callback = UpstreamCallback {
                state,
                error,
                ..callback(&pending)
            };
            let refused = lab.provider.finish(&pending, &callback).await.unwrap_err();
            assert!(is(&refused, UpstreamRefusal::State), "{state:?}: {refused:?}");
        }
    }
    assert_eq!(lab.fake.seen().len(), asked);
    assert!(lab.finish(&pending).await.is_ok());
}

#[tokio::test]
async fn r02_iss_is_compared_letter_by_letter_and_is_due_where_it_is_announced() {
    for announced in [false, true] {
        let lab = Lab::start();
        lab.change(|script| {
            script.metadata["authorization_response_iss_parameter_supported"] = json!(announced);
        });
        let pending = lab.begin(&ask()).await;
        lab.issue_honestly(&pending);
        let own = lab.fake.url();
        let slash = format!("{own}/");
        for iss in [
            "",
            "https://evil.example",
            &slash,
            &own.to_uppercase(),
            "http://127.0.0.1",
        ] {
            let callback = UpstreamCallback {
                iss: Some(iss),
                ..callback(&pending)
            };
            let refused = lab.provider.finish(&pending, &callback).await.unwrap_err();
            assert!(is(&refused, UpstreamRefusal::Issuer), "{iss}: {refused:?}");
        }
        let without = lab.finish(&pending).await;
        match without {
            Ok(_) => assert!(!announced),
            Err(error) => assert!(announced && is(&error, UpstreamRefusal::Issuer), "{error:?}"),
        }
        assert_eq!(lab.fake.count("/token"), usize::from(!announced));
        let with = UpstreamCallback {
            iss: Some(&own),
            ..callback(&pending)
        };
        assert!(lab.provider.finish(&pending, &with).await.is_ok());
    }
}

/// A login that was begun at one provider is not finished at another.
#[tokio::test]
async fn r02_a_login_of_another_provider_is_refused() {
    let (lab, other) = (Lab::start(), Lab::start());
    let pending = other.begin(&ask()).await;
    let refused = lab.finish(&pending).await.unwrap_err();
    assert!(is(&refused, UpstreamRefusal::Issuer), "{refused:?}");
    assert_eq!(lab.fake.seen().len(), 0);
    // Also when its record was kept for an issuer of the past.
    let past = PendingUpstream::new("https://old.example", &ask(), &secrets(), lab.clock.now());
    let refused = lab.finish(&past).await.unwrap_err();
    assert!(is(&refused, UpstreamRefusal::Issuer), "{refused:?}");
}

#[tokio::test]
async fn what_the_provider_says_is_not_repeated() {
    let lab = Lab::start();
    let log = Log::capture();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    for (error, want) in [
        ("access_denied", "refuses: the person declined"),
        ("login_required", "refuses: the provider answered with an error"),
        (
            "<script>alert(1)</script>",
            "refuses: the provider answered with an error",
        ),
        ("", "refuses: the provider answered with an error"),
        ("server_error", "not available"),
        ("temporarily_unavailable", "not available"),
        ("invalid_scope", "not set up"),
        ("unauthorized_client", "not set up"),
    ] {
        let callback = UpstreamCallback {
            error: Some(error),
            ..callback(&pending)
        };
        let refused = lab.provider.finish(&pending, &callback).await.unwrap_err();
        let text = shown(&refused);
        assert!(text.contains(want), "{error}: {text}");
        assert!(!text.contains("script"), "{text}");
    }
    assert_eq!(lab.fake.count("/token"), 0, "an error beside a code is an error");
    unseen(&log.text(), "the log", &pending);
}

#[tokio::test]
async fn r12_without_a_good_code_nobody_gets_in() {
    let lab = Lab::start();
    let pending = lab.begin(&ask()).await;
    lab.issue_honestly(&pending);
    let long = "c".repeat(8 * 1024 + 1);
    for code in [
        None,
        Some(""),
        Some("a\nb"),
        Some("a\0"),
        Some("ä"),
        Some(long.as_str()),
    ] {
        let callback = UpstreamCallback {
            code,
            ..callback(&pending)
        };
        let refused = lab.provider.finish(&pending, &callback).await.unwrap_err();
        assert!(is(&refused, UpstreamRefusal::Code), "{code:?}: {refused:?}");
    }
    assert_eq!(lab.fake.count("/token"), 0);
    for (error, want) in [
        ("invalid_grant", "the code is not accepted"),
        ("invalid_client", "not set up"),
        ("invalid_request", "not set up"),
        ("<b>", "not set up"),
    ] {
        lab.change(|script| script.tokens = json!({"error": error, "error_description": CODE}));
        let refused = lab.finish(&pending).await.unwrap_err();
        let text = shown(&refused);
        assert!(text.contains(want) && !text.contains(CODE), "{error}: {text}");
    }
}
