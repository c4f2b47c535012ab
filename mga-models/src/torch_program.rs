//! What a component is in PyTorch, for the program that is written beside exported weights.

/// A backbone with its own head in PyTorch: how the network is made, and how images go through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackboneProgram {
    /// The Python package that has the network; `None`: the program brings it along in `definitions`.
    pub package: Option<&'static str>,
    /// Python classes that make the network.
    pub definitions: &'static str,
    /// The expression that makes the network; `{classes}` stands for the number of classes.
    pub build: String,
    /// The statements of `features(self, net, x)`, images to features, without the indentation of the first line.
    pub features: &'static str,
    /// Whether features are rectified before they are pooled.
    pub rectify: bool,
    /// The side of the square that features are pooled to.
    pub pool: usize,
    /// The first layer of the classifier, which takes the pooled features: `fc`, or `classifier.1` of a sequence.
    pub classifier: &'static str,
}

impl BackboneProgram {
    /// Returns torchvision's network of that name, whose features come from `net.features` and are averaged over all places.
    #[must_use]
    pub fn torchvision(name: &str, classifier: &'static str) -> Self {
        Self {
            package: Some("torchvision"),
            definitions: "",
            build: format!("torchvision.models.{name}(weights=None, num_classes={{classes}})"),
            features: "return net.features(x)",
            rectify: false,
            pool: 1,
            classifier,
        }
    }
}

/// An attention without settings of its own in PyTorch: its map, and what it makes of the features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionProgram {
    /// The statements of `__init__` that make the layer of the map, indented by eight spaces.
    pub map: &'static str,
    /// The expression of the features behind it, of the features `f` and the map `a`.
    pub attended: String,
    /// Whether there are twice as many channels behind it.
    pub doubles: bool,
}
