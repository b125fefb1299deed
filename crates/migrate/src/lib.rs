#![doc = include_str!("../README.md")]

mod balancer;
mod check;
mod control;
mod cutover;
mod edit;
mod error;
mod form;
mod impact;
mod ini;
mod inventory;
mod keys;
mod markdown;
mod node;
mod offset;
mod owners;
mod plan;
mod program;
mod read;
mod settings;
mod source;

pub use balancer::{
    Balancer, BalancerError, BalancerHooks, HaProxy, HaProxySocket, Hook, HookError, HookRunner, Member,
    ServerLine, Traffic, parse_servers, parse_traffic,
};
pub use check::{
    Answer, Cell, CheckReport, ClockBounds, Exchange, KeystoneProber, Login, LoginError, LoginKind,
    MatrixProgress, ProbeAnswer, ProbeRequest, Target, judge_answers, judge_records, run_matrix,
};
pub use control::{ControlError, NodeControl, NodeHands};
pub use cutover::{
    Course, Cutover, CutoverError, CutoverOptions, Event, History, Journal, JournalError, JournalFile,
    JournalText, Limits, NodeState, Op, Operator, Outcome, Pool, Ports, Prober, Sample, Stage, Unsafe,
    Verdict, Wait, Wanted, parse_journal,
};
pub use edit::{EditError, set_option};
pub use error::InventoryError;
pub use form::TokenForm;
pub use impact::Impact;
pub use ini::{IniDocument, IniError, MAX_CONFIGURATION};
pub use inventory::{
    ClockOffset, InvalidInventory, Inventory, KeyRecord, LongLived, LongLivedUse, NodeRecord,
    RepositoryRecord,
};
pub use keys::{KeyFault, KeysError, NodeFolder, judge_keys, keys_in_place, make_keys};
pub use node::{AbsolutePath, InvalidName, Node, SshHost};
pub use plan::{Action, Plan, PlanError, PlanOptions, Step};
pub use read::{Clock, NodeSpec, read_nodes};
pub use settings::{SettingError, Settings};
pub use source::{Programs, Source};
