//! Times transport solvers: batches of problems, drawn or from a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use candle_core::{D, DType, Device, Tensor};
use mga_core::random::Generator;
use mga_core::tape::Tape;
use mga_core::transport::{Transported, transport_solver};
use mga_experiment::Components;

use crate::output;

/// Channels of drawn nodes.
const CHANNELS: usize = 64;

/// The problems and what solves them.
#[derive(Debug, clap::Args)]
pub(super) struct Transport {
    /// The transport solver, by its registered name.
    #[arg(long, default_value = "exact")]
    solver: String,
    /// The solver's settings as JSON: `{"epsilon": 0.1}`.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// Nodes of each image of drawn problems.
    #[arg(long, default_value_t = 25)]
    nodes: usize,
    /// The number of drawn problems.
    #[arg(long, default_value_t = 375)]
    problems: usize,
    /// A safetensors file of problems in place of drawn ones: `cost` [B, n, m], `supply` [B, n] and `demand` [B, m].
    /// `--json` prints the cost of every solution then.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Threads; 0 uses one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Continue until this many seconds were timed.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. Times are of one core: those on the clock, times the threads.
#[derive(Debug, serde::Serialize)]
struct Report {
    work: &'static str,
    solver: String,
    problems: usize,
    nodes: (usize, usize),
    threads: usize,
    passes: usize,
    microseconds: f64,
    least: f64,
    steps: usize,
    residual: f64,
    unconverged: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    costs: Option<Vec<f64>>,
}

/// A batch of problems.
struct Problems {
    cost: Tensor,
    supply: Tensor,
    demand: Tensor,
}

impl Problems {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let told = || format!("--file {}", file.display());
        let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).with_context(told)?;
        let taken = |tensors: &mut HashMap<String, Tensor>, name: &str| {
            let tensor = tensors.remove(name).with_context(|| format!("{}: there is no tensor `{name}`", told()));
            Ok::<_, anyhow::Error>(tensor?.to_dtype(DType::F64)?)
        };
        let cost = taken(&mut tensors, "cost")?;
        Ok(Self { cost, supply: taken(&mut tensors, "supply")?, demand: taken(&mut tensors, "demand")? })
    }

    /// Problems as DeepEMD has them: one minus the cosine of nodes that share a direction, and weights from 0 to 1.
    fn draw(problems: usize, nodes: usize) -> anyhow::Result<Self> {
        anyhow::ensure!(problems > 0 && nodes > 0, "--problems and --nodes: expected at least 1 of each");
        let mut generator = Generator::new(0, "bench transport", &[]);
        let mut normal = |dims: &[usize]| {
            let values: Vec<f64> = (0..dims.iter().product()).map(|_| generator.normal()).collect();
            Tensor::from_vec(values, dims, &Device::Cpu)
        };
        let mut unit = || -> candle_core::Result<Tensor> {
            let nodes = normal(&[problems, nodes, CHANNELS])?.broadcast_add(&normal(&[problems, 1, CHANNELS])?)?;
            nodes.broadcast_div(&nodes.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
        };
        let cost = unit()?.matmul(&unit()?.transpose(1, 2)?.contiguous()?)?.affine(-1.0, 1.0)?;
        let mut weights = || -> candle_core::Result<Tensor> {
            let values: Vec<f64> = (0..problems * nodes).map(|_| generator.uniform() + 1e-3).collect();
            let weights = Tensor::from_vec(values, (problems, nodes), &Device::Cpu)?;
            weights.broadcast_div(&(weights.sum_keepdim(D::Minus1)? / nodes as f64)?)
        };
        Ok(Self { cost, supply: weights()?, demand: weights()? })
    }
}

/// Runs the command.
pub(super) fn run(args: Transport, components: &Components) -> anyhow::Result<()> {
    let settings = serde_json::from_str(&args.settings).context("--settings: expected a JSON object")?;
    let solver = transport_solver(&components.kinds, &args.solver, &settings)?;
    let problems = match &args.file {
        Some(file) => Problems::read(file)?,
        None => Problems::draw(args.problems, args.nodes)?,
    };
    let (count, n, m) = problems.cost.dims3()?;
    anyhow::ensure!(count > 0, "there is no problem to solve");
    mga_train::assemble::use_threads(args.threads);
    let threads = if args.threads == 0 { std::thread::available_parallelism()?.get() } else { args.threads };
    let solve = || -> anyhow::Result<Transported> {
        let mut tape = Tape::eval();
        let Problems { cost, supply, demand } = &problems;
        let (cost, supply, demand) = (tape.constant(cost)?, tape.constant(supply)?, tape.constant(demand)?);
        Ok(solver.flow(&mut tape, cost, supply, demand)?)
    };
    let solved = solve()?;
    let mut times = Vec::new();
    while times.iter().sum::<f64>() < args.seconds || times.len() < 3 {
        let start = Instant::now();
        solve()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let each = |seconds: f64| seconds * 1e6 * threads as f64 / count as f64;
    let costs = || -> anyhow::Result<Vec<f64>> { Ok((solved.flow.tensor() * &problems.cost)?.sum((1, 2))?.to_vec1()?) };
    let report = Report {
        work: "transport",
        solver: args.solver,
        problems: count,
        nodes: (n, m),
        threads,
        passes: times.len(),
        microseconds: each(times[times.len() / 2]),
        least: each(times[0]),
        steps: solved.convergence.steps,
        residual: solved.convergence.residual,
        unconverged: solved.convergence.unconverged,
        costs: args.file.is_some().then(costs).transpose()?,
    };
    let text = if args.json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    Ok(output::print(text)?)
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { solver, problems, nodes: (n, m), threads, passes, microseconds, least, .. } = self;
        writeln!(f, "{solver}: {problems} problems of {n} x {m} nodes, {threads} threads, {passes} passes")?;
        writeln!(f, "{microseconds:.1} microseconds a problem and core (median; least {least:.1})")?;
        let Self { steps, residual, unconverged, .. } = self;
        writeln!(f, "at most {steps} steps; residual {residual:.1e}; {unconverged} not converged")
    }
}
