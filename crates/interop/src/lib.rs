#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the harness of tests: what it cannot start or read has failed, and says where"
)]

mod clients;
mod dev;
mod front;
mod https;
mod keystone_lab;
mod process;
mod serve;
mod service;
mod wsgi;

pub use clients::{Client, Program, Run};
pub use dev::{DevClient, DevServer, EXPIRED_AT};
pub use front::{Front, FrontKind, FrontSetup};
pub use https::{Answer, Https, HttpsError};
pub use keystone_lab::{
    KeystoneLab, LabFront, LabMachine, LabOptions, Seed, SeededCertificate, SeededCredential, SeededEc2,
    SeededUser,
};
pub use process::{built, free_ports};
pub use serve::{ServeServer, ServeSetup};
pub use service::ProtectedService;
pub use wsgi::{CertificateIn, WsgiService, WsgiSetup};
