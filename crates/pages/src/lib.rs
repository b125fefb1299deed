#![doc = include_str!("../README.md")]

mod view;

pub use view::{
    AccountLine, AccountPage, CodeKind, CodePage, ConsentLine, ConsentPage, DeviceCodePage,
    DeviceConfirmPage, DeviceDonePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, ErrorKind, ErrorPage,
    FactorKind, FormPostPage, GrantLine, LoggedOutPage, LoginPage, LogoutPage, Notice, Page, PasskeyLine,
    PasskeyPage, ProjectLine, PushPage, RecoveryCodesPage, ScopeLine, SelectAccountPage, SessionLine,
    Trouble, Upstream,
};
