//! `[administration]` and `[registration]`, right and wrong.

use super::{accepted, refused};
use crate::harness::Setup;

#[test]
fn what_check_says_of_who_administers() {
    let mut setup = Setup::new();
    assert!(
        !accepted(&setup, &[]).contains("administered"),
        "without the section, nobody does"
    );
    setup.set("administration", "socket", "'admin.sock'");
    setup.set(
        "administration",
        "cloud_certificates",
        "['tls_client_auth_subject_dn=CN=admin,O=Example']",
    );
    setup.set(
        "administration",
        "domain_certificates",
        "['demo tls_client_auth_san_dns=m.example']",
    );
    let said = accepted(&setup, &[]);
    for word in ["sealstone:clients", "2 certificates", "admin.sock"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        !said.contains("register themselves"),
        "off is the default: {said}"
    );
    setup.set("registration_of.demo", "enabled", "true");
    assert!(accepted(&setup, &[]).contains("register themselves in demo"));
    assert!(!setup.path("admin.sock").exists(), "nothing is made by looking");
}

/// The section, its key and value; words of the complaint.
#[test]
fn what_cannot_be_administered() {
    for (section, key, value, words) in [
        (
            "administration",
            "cloud_certificates",
            "['CN=admin']",
            "tls_client_auth_subject_dn=CN=admin",
        ),
        (
            "administration",
            "cloud_certificates",
            "['subject=admin']",
            "cloud_certificates",
        ),
        (
            "administration",
            "domain_certificates",
            "['tls_client_auth_san_dns=m.example']",
            "DOMAIN MEMBER=VALUE",
        ),
        ("administration", "cloud_roles", "['']", "cloud_roles"),
        ("administration", "grantable_scope", "'a  b'", "grantable_scope"),
        ("administration", "sockets", "'x'", "did you mean"),
        ("registration", "enabled", "'yes'", "registration.enabled"),
        (
            "registration",
            "scope",
            "'openid openstack:api'",
            "not for clients that register themselves",
        ),
        (
            "registration",
            "scope",
            "'sealstone:clients'",
            "not for clients that register themselves",
        ),
        ("registration", "grant_types", "['implicit']", "implicit"),
        (
            "registration",
            "token_endpoint_auth_methods",
            "['banana']",
            "banana",
        ),
        (
            "registration",
            "redirect_hosts",
            "['https://app.example']",
            "redirect_hosts",
        ),
        (
            "registration_of.demo",
            "redirect_hosts",
            "['*.example']",
            "registration_of.demo",
        ),
    ] {
        let mut setup = Setup::new();
        setup.set("administration", "keystone", "true");
        setup.set(section, key, value);
        let said = refused(&setup, &[]);
        assert!(said.contains(words), "{section}.{key} = {value}: {said}");
    }
    let mut alone = Setup::new();
    alone.set("registration", "enabled", "true");
    assert!(refused(&alone, &[]).contains("without [administration]"));
}
