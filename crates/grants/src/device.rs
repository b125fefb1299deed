//! The device grant (RFC 8628): a device asks, a person decides in a browser, the device collects.
//!
//! ```text
//! authorize ──▶ DeviceStore::insert_device      decide page ──▶ DeviceStore::decide
//! NeedsDevice ──with_device──▶ Polled | NeedsPerson ──▶ … ──redemption──▶ DeviceStore::redeem_device
//! ```
//!
//! The device code never reaches a browser: pages know a request by its user code alone.

mod flow;
mod port;
mod record;

pub(crate) use flow::begin;
pub use flow::{DeviceAuthorized, NeedsDevice, NeedsPoll, authorize};
pub use port::{Decided, DeviceDecision, DeviceInsertion, DeviceStore};
pub use record::{
    DEVICE_INTERVAL_S, DEVICE_LIFETIME, DeviceRequest, DeviceState, MAX_DEVICE_REQUESTS,
    MAX_DEVICE_REQUESTS_OF_CLIENT, Origin, Poll,
};
