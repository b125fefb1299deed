#![doc = include_str!("../README.md")]

mod error;
mod impact;
mod ini;
mod inventory;
mod keys;
mod markdown;
mod node;
mod plan;
mod read;
mod settings;
mod source;

pub use error::InventoryError;
pub use impact::Impact;
pub use ini::{IniDocument, IniError, MAX_CONFIGURATION};
pub use inventory::{
    ClockOffset, InvalidInventory, Inventory, KeyRecord, LongLived, LongLivedUse, NodeRecord,
    RepositoryRecord,
};
pub use keys::{KeyFault, KeysError, NodeFolder, judge_keys, make_keys};
pub use node::{AbsolutePath, InvalidName, Node, SshHost};
pub use plan::{Action, Plan, PlanError, PlanOptions, Step};
pub use read::{Clock, NodeSpec, read_nodes};
pub use settings::{SettingError, Settings};
pub use source::{Programs, Source};
