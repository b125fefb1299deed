#![doc = include_str!("../README.md")]

mod brand;
mod date;
mod qr;
mod render;
mod texts;
mod view;

pub use brand::{Asset, Brand, BrandError, Brands};
pub use render::{Form, RenderError, Rendered, Script, Setting, render};
pub use texts::Texts;
pub use view::{
    AccountLine, AccountPage, CodeKind, CodePage, ConsentLine, ConsentPage, DeviceCodePage,
    DeviceConfirmPage, DeviceDonePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, ErrorKind, ErrorPage,
    FactorKind, FormPostPage, GrantLine, LoggedOutPage, LoginPage, LogoutPage, Notice, Page, PasskeyLine,
    PasskeyPage, ProjectLine, PushPage, RecoveryCodesPage, ScopeLine, SelectAccountPage, SessionLine,
    Trouble, Upstream,
};
