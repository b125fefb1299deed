#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the harness of tests: what it cannot start or read has failed, and says where"
)]

mod bridge;
mod browser;
mod cadf;
mod chromium;
mod clients;
mod dev;
mod front;
mod https;
mod keystone_lab;
mod privacyidea_lab;
mod process;
mod relying_party;
mod serve;
mod service;
mod upstream_server;
mod wsgi;

pub use bridge::BridgeProgram;
pub use browser::{Browser, Page, PageForm, Step};
pub use cadf::cadf_judged;
pub use chromium::walk;
pub use clients::{Client, Program, Run};
pub use dev::{DevClient, DevServer, DevUser, EXPIRED_AT};
pub use front::{Front, FrontKind, FrontSetup};
pub use https::{Answer, Https, HttpsError};
pub use keystone_lab::{
    KeystoneLab, LabFront, LabMachine, LabOptions, Seed, SeededCertificate, SeededCredential, SeededEc2,
    SeededUser,
};
pub use privacyidea_lab::{PrivacyIdeaLab, Telephone};
pub use process::{built, faketime, free_ports};
pub use relying_party::{Library, RelyingParty};
pub use serve::{ServeServer, ServeSetup};
pub use service::ProtectedService;
pub use upstream_server::{UpstreamServer, UpstreamSetup};
pub use wsgi::{CertificateIn, WsgiService, WsgiSetup};
