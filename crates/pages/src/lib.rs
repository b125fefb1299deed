#![doc = include_str!("../README.md")]

mod agent;
mod brand;
mod date;
mod render;
mod texts;
mod view;

pub use brand::{Asset, Brand, BrandError, Brands};
pub use render::{Form, RenderError, Rendered, Script, Setting, render};
pub use texts::Texts;
pub use view::{
    AccountPage, CodeKind, CodePage, ConsentLine, ConsentPage, DeviceCodePage, DeviceConfirmPage,
    DeviceDonePage, EnrolPage, EnrolPasskeyPage, EnrolTotpPage, ErrorKind, ErrorPage, FormPostPage,
    GrantLine, LoggedOutPage, LoginPage, LogoutPage, Page, PasskeyLine, Person, Picture, ProjectLine,
    RecoveryCodesPage, ScopeLine, SelectAccountPage, SessionLine, Trouble, WaitPage,
};
