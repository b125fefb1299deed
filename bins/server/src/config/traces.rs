//! `[traces]`: which requests are traced, and to whom the traces are sent.

use serde::Deserialize;
use std::path::PathBuf;

/// `[traces]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracesSection {
    pub(crate) url: String,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) bearer_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure_plaintext: bool,
    #[serde(default = "default_service_name")]
    pub(crate) service_name: String,
    #[serde(default = "default_sample_ratio")]
    pub(crate) sample_ratio: f64,
    #[serde(default = "default_max_traces_per_s")]
    pub(crate) max_traces_per_s: u32,
    #[serde(default = "default_queue_spans")]
    pub(crate) queue_spans: usize,
    /// Whose `traceparent` is taken over; by default nobody's.
    #[serde(default)]
    pub(crate) traceparent_networks: Vec<String>,
    #[serde(default)]
    pub(crate) follow_sampled_flag: bool,
}

impl TracesSection {
    /// Every file that is named.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca_file.iter_mut().chain(&mut self.bearer_file)
    }
}

fn default_service_name() -> String {
    "sealstoned".to_owned()
}

/// One of a hundred: a busy node's shape is seen, and costs nothing that can be measured.
const fn default_sample_ratio() -> f64 {
    0.01
}

/// Some ten spans each: what a small collector takes without noticing.
const fn default_max_traces_per_s() -> u32 {
    50
}

/// Some megabytes, and eight seconds of traces at their limit.
const fn default_queue_spans() -> usize {
    4096
}
