//! A search's report says what it selected by, what it chose, and what mattered; test scores choose nothing.

use mga_report::results;
use mga_report::{Report, html, latex, markdown, spreadsheet, terminal};
use serde_json::json;

use super::fixture::{Run, Sweep, write};

const FILE: &str = "name = \"rates\"\nbase = \"base.toml\"\nsearch = \"tpe\"\n[ranges]\n\
    \"optimiser.learning_rate\" = { log_uniform = [1e-4, 1e-1] }\n\"objective.mask_weight\" = { uniform = [0.0, 1.0] }\n\
    \"model.attention\" = { choice = [\"none\", \"residual\"] }\n[axes]\nseed = [1, 2]\n\
    [budget]\nruns = 24\nstartup = 4\nseed = 7\n";

/// The draw of the best mean.
const BEST: usize = 9;

/// Twelve draws of two seeds. The learning rate decides the validation score; the luckiest single run is of draw 3, and
/// draw 0, the worst on validation images, is the best on test images. Draw 11 is the best of all, but one of its runs failed.
fn search() -> (Sweep, Report) {
    let sweep = Sweep::new();
    for draw in 0..12usize {
        let rate = 1e-4 * 2f64.powi(draw as i32);
        let mean = match draw {
            BEST => 0.8,
            11 => 0.9,
            draw => 0.5 + 0.02 * draw as f64,
        };
        for seed in 1..=2u64 {
            let luck = if draw == 3 { 0.38 } else { 0.01 };
            let mut run = Run::plain(seed);
            (run.variant, run.baseline, run.draw) = (None, false, Some(draw));
            run.settings = json!({ "optimiser.learning_rate": rate, "objective.mask_weight": (draw * 7 % 12) as f64 / 12.0,
                                   "model.attention": if draw % 2 == 0 { "none" } else { "residual" } });
            run.validation = if seed == 1 { mean + luck } else { mean - luck };
            run.skill = if draw == 0 { 0.95 } else { 0.6 };
            if draw == 11 && seed == 2 {
                sweep.begun(&run, "failed", Some("the loss is NaN"));
            } else {
                sweep.finished(&run);
            }
        }
    }
    write(sweep.folder(), "sweep.toml", FILE);
    let report = sweep.report();
    (sweep, report)
}

#[test]
fn the_best_mean_on_validation_images_is_chosen() {
    let (_sweep, report) = search();
    let search = report.search.as_ref().unwrap();
    assert_eq!((search.space.kind(), search.draws.len(), search.column.key.as_str()), ("tpe", 12, "top1"));
    let best = search.best().unwrap();
    assert_eq!((best.number, best.runs, best.validation.n), (BEST, 2, 2));
    assert!((best.validation.mean.unwrap() - 0.8).abs() < 1e-12, "{:?}", best.validation);
    // The luckiest run is another draw's, and so is the best on test images.
    let lucky = report
        .runs
        .iter()
        .max_by(|a, b| a.validation_score.unwrap_or(0.0).total_cmp(&b.validation_score.unwrap_or(0.0)));
    assert_eq!(report.arms[lucky.unwrap().arm].draw, Some(3));
    let tested =
        report.arms.iter().max_by(|a, b| a.scores[0].mean.unwrap_or(0.0).total_cmp(&b.scores[0].mean.unwrap_or(0.0)));
    assert_eq!(tested.unwrap().draw, Some(0));
    let marked: Vec<_> = report.arms.iter().filter(|arm| arm.best_validated).map(|arm| arm.draw).collect();
    assert_eq!(marked, [Some(BEST)]);
    // The best so far never falls, and a draw that lacks a run has no say.
    let history: Vec<f64> = search.draws.iter().map(|draw| draw.best_so_far.unwrap()).collect();
    assert!(history.windows(2).all(|pair| pair[0] <= pair[1]) && history[11] == history[9], "{history:?}");
    assert_eq!(search.draws[11].mean(), None);
}

#[test]
fn what_matters_is_told_with_its_measure() {
    let (_sweep, report) = search();
    let importance = &report.search.as_ref().unwrap().importance;
    assert_eq!(importance[0].key, "optimiser.learning_rate");
    let (rate, weight) = (&importance[0], importance.iter().find(|one| one.key.ends_with("mask_weight")).unwrap());
    assert!(rate.share.unwrap() > 0.5 && rate.p.unwrap() < 0.01, "{rate:?}");
    assert!(rate.rank_correlation.unwrap() > 0.9 && rate.draws == 11, "{rate:?}");
    assert!(weight.share.unwrap() < rate.share.unwrap() && weight.p.unwrap() > 0.05, "{weight:?}");
    let text = terminal::text(&report);
    assert!(text.contains("share of the rank variance") && text.contains("Kruskal and Wallis"), "{text}");
    assert!(text.contains("effects of combinations are not seen"), "{text}");
}

#[test]
fn every_form_has_the_validation_score_and_the_mark() {
    let (sweep, report) = search();
    let name = &report.arms[BEST].name;
    assert!(name.starts_with("draw 9, learning_rate = 0.0512"), "{name}");
    let text = terminal::text(&report);
    let line = text.lines().find(|line| line.contains("draw 9, learning_rate")).unwrap();
    assert!(line.contains("(best on validation)") && line.contains("80.0 ± 1.4"), "{line}");
    let last = terminal::last_line(&report).unwrap();
    assert!(last.starts_with("Best on validation: draw 9 (") && last.contains("the mean of 2 runs"), "{last}");
    assert!(last.contains("top-1 accuracy 80.0 ± 1.4 %") && last.contains("the best of 11 draws"), "{last}");
    let page = markdown::text(&report, &[]);
    assert!(page.contains("## Search\n") && page.contains("| validation top-1 accuracy, % | best so far |"), "{page}");
    assert!(page.contains("| 9 (best on validation) |") && page.contains("| log_uniform 0.0001 to 0.1 |"), "{page}");
    let tex = latex::text(&report);
    assert!(
        tex.contains("validation top-1 accuracy")
            && tex.contains("(best on validation)")
            && tex.contains("% ---- draws")
    );
    let table = spreadsheet::text(&report).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!((&rows[BEST][at("draw")], &rows[BEST][at("best_on_validation")]), ("9", "true"));
    assert_eq!((&rows[0][at("validation_n")], &rows[0][at("best_on_validation")]), ("2", "false"));
    assert!((rows[BEST][at("validation_mean")].parse::<f64>().unwrap() - 0.8).abs() < 1e-12);
    let records = results::read(&[sweep.folder()]).unwrap().records;
    html::write(&report, &html::fill(&html::builtin(), &report, &records).unwrap(), sweep.folder()).unwrap();
    let html = std::fs::read_to_string(sweep.folder().join(html::PAGE)).unwrap();
    for text in [
        "<section id=\"search\"",
        "<span class=\"tag\">best on validation</span>",
        "What the draws scored",
        "Importance",
    ] {
        assert!(html.contains(text), "{text}");
    }
    if let Some(folder) = std::env::var_os("MGA_KEEP_PAGE") {
        std::fs::write(std::path::Path::new(&folder).join("search.html"), html).unwrap();
    }
}

#[test]
fn the_methods_describe_space_and_budget() {
    let (_sweep, report) = search();
    let text = markdown::methods(&report);
    for said in [
        "tree-structured Parzen estimator",
        "the first 4 draws by chance",
        "(seed 7)",
        "optimiser.learning_rate (log_uniform 0.0001 to 0.1)",
        "model.attention (choice of none, residual)",
        "The budget was 24 runs; 12 draws of 2 runs each were made.",
        "test images had no influence",
        "Best on validation: draw 9",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_metric_that_is_better_lower_chooses_the_lowest() {
    let (sweep, _) = search();
    for run in std::fs::read_dir(sweep.folder().join("runs")).unwrap().map(|run| run.unwrap().path()) {
        let change = |name: &str, from: &str, to: &str| {
            if let Ok(text) = std::fs::read_to_string(run.join(name)) {
                assert!(text.contains(from), "{name}: {text}");
                std::fs::write(run.join(name), text.replace(from, to)).unwrap();
            }
        };
        change("experiment.toml", "metric = \"top1\"", "metric = \"cross_entropy\"");
        change("summary.json", "\"best_score\":", "\"best_score\":-");
    }
    let report = sweep.report();
    let search = report.search.as_ref().unwrap();
    assert_eq!((search.best().unwrap().number, search.column.higher_is_better), (0, false));
    assert!((search.best().unwrap().validation.mean.unwrap() - 0.5).abs() < 1e-12);
    assert!(search.draws.iter().all(|draw| draw.best_so_far == search.draws[0].best_so_far));
}

#[test]
fn a_grid_has_no_search() {
    let sweep = Sweep::new();
    sweep.finished(&Run::plain(1));
    let report = sweep.report();
    assert!(report.search.is_none() && terminal::last_line(&report).is_none());
    assert!(!terminal::text(&report).contains("validation"), "{}", terminal::text(&report));
}

#[test]
fn each_variant_has_its_best_and_the_search_its_own() {
    let sweep = Sweep::new();
    // The plain arm is best at the first draw, the other at the third; taken together the second is.
    for (draw, scores) in [(0usize, [0.9, 0.1]), (1, [0.7, 0.6]), (2, [0.1, 0.8])] {
        for ((mut run, name), score) in [(Run::plain(1), "plain"), (Run::plain(1), "mga")].into_iter().zip(scores) {
            (run.variant, run.baseline, run.draw, run.validation) = (Some(name), false, Some(draw), score);
            run.settings =
                json!({ "optimiser.learning_rate": 0.01 * (draw + 1) as f64, "model.mask_guidance": name == "mga" });
            sweep.finished(&run);
        }
    }
    write(sweep.folder(), "sweep.toml", &FILE.replace("\"tpe\"", "\"random\""));
    let report = sweep.report();
    let search = report.search.as_ref().unwrap();
    assert_eq!((search.best().unwrap().number, search.best().unwrap().arms.len()), (1, 2));
    let marked: Vec<_> = report.arms.iter().filter(|arm| arm.best_validated).map(|arm| arm.name.as_str()).collect();
    assert_eq!(marked, ["plain, draw 0, learning_rate = 0.01", "mga, draw 2, learning_rate = 0.03"]);
    let text = terminal::text(&report);
    assert!(
        text.contains("Best of its kind on validation: mga, draw 2, learning_rate = 0.03, top-1 accuracy 80.0 %."),
        "{text}"
    );
    assert!(text.contains("Importance needs 8 draws"), "{text}");
    assert!(markdown::methods(&report).contains("searched by random draws (seed 7)"));
}
