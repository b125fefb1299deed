#![doc = include_str!("../README.md")]

mod base32;
mod password;
mod qr;
mod recovery;
mod totp;
mod webauthn;

pub use password::{
    HashError, HashFault, MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, NewPassword, PasswordFault, PasswordHash,
};
pub use qr::{QrCode, QrError};
pub use recovery::{RECOVERY_CODES, RecoveryCode, RecoveryCodeHash, RecoveryCodes};
pub use totp::{CodeFault, TotpCode, TotpSecret, TotpSecretFault, TotpStep};
pub use webauthn::{
    Assertion, AssertionResponse, Challenge, CreationOptions, CredentialId, KeyAlgorithm, MAX_RESPONSE,
    Passkey, RegistrationResponse, RelyingParty, RelyingPartyFault, RequestOptions, UserHandle,
    UserVerification, WebAuthnError,
};
