//! Plots as SVG, for a page and as files for a paper.
//!
//! A plot is described by a struct ([`LineChart`], [`DotRows`], [`Paired`], [`HeatMap`], [`DifferenceMap`],
//! [`Reliability`]) whose `draw` gives a [`Plot`]: [`Plot::inline`] for a page that carries [`palette::styles`],
//! [`Plot::standalone`] for a file. Shapes carry classes, colours live in the style sheet alone, so a plot follows the
//! reader's light or dark scheme.

mod difference_map;
mod dot_rows;
mod drawing;
mod frame;
mod heat_map;
mod labels;
mod legend;
mod line_chart;
pub mod markup;
mod matrix;
mod paired;
pub mod palette;
mod reliability;
mod scale;
mod text_width;

pub use difference_map::DifferenceMap;
pub use dot_rows::{DotRows, Dots, Spot};
pub use drawing::Plot;
pub use heat_map::HeatMap;
pub use line_chart::{BandPoint, LineChart, LineSeries};
pub use paired::{Paired, PairedPanel};
pub use reliability::{Reliability, ReliabilityBin};
pub use scale::{Scale, Tick};
