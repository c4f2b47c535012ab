//! The named points of a network.

/// A named point of a network: freezing, feature taps and head sizes go by stages alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name in `model.freeze_through`: `layer2`, `transition2`, `features.9`.
    pub name: String,
    /// The state-dict prefixes (matched at dots) whose parameters it owns; none for pools and activations.
    pub prefixes: Vec<String>,
    /// Channels of what comes out.
    pub channels: usize,
}

/// Index into the stages of a backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub usize);
