//! Settings that do nothing in some runs of a sweep, or in all.

use super::fixture::{Folder, base};

const ARMS: &str = "base = \"base.toml\"\n[variants.mga]\n[variants.plain]\n\
                    model = { attention = \"none\", mask_guidance = false }\n";

#[test]
fn an_axis_may_vary_what_some_arms_have_no_use_for() {
    let folder = Folder::new(&format!("{ARMS}[axes]\n\"objective.mask_weight\" = [0.2, 1.0]\nseed = [1, 2]\n"));
    let (plan, warnings) = folder.plan().unwrap();
    assert_eq!((plan.cells.len(), warnings.len()), (8, 1), "{warnings:?}");
    let warning = warnings[0].lines().next().unwrap();
    assert_eq!(
        warning,
        "warning: sweep.toml:6:1: objective.mask_weight: does nothing in 4 of 8 runs: it counts only with \
         model.mask_guidance = true"
    );
    // What an arm turns off may stand in the base; seeds repeat arms, whether they use them or not.
    folder.write("base.toml", base().replace("[train]", "[objective]\nmask_weight = 0.3\n\n[train]"));
    folder.write(
        "sweep.toml",
        format!("{ARMS}\"data.masks.source\" = \"shuffled\"\n[axes]\n\"data.masks.seed\" = [1, 2]\n"),
    );
    let (plan, warnings) = folder.plan().unwrap();
    assert_eq!((plan.cells.len(), warnings), (4, vec![]));
}

#[test]
fn what_does_nothing_in_any_run_is_an_error() {
    let off = "[model]\nmask_guidance = false\n";
    for (sweep, base, key) in [
        ("[axes]\n\"objective.dice_weight\" = [0.5, 1.0]\n", base(), "objective.dice_weight"),
        (
            "[variants.a]\n[variants.b]\nobjective.mask_weight = 0.3\n",
            base().replace("[model]\n", off),
            "objective.mask_weight",
        ),
        ("[axes]\nseed = [1, 2]\n", format!("{}[objective]\ndice_weight = 1.0\n", base()), "objective.dice_weight"),
    ] {
        let folder = Folder::new(&format!("base = \"base.toml\"\n{sweep}"));
        folder.write("base.toml", base);
        let error = folder.plan().unwrap_err();
        assert!(error.contains(&format!("{key}: does nothing here: it counts only with ")), "{error}");
        assert_eq!(error.matches("error: ").count(), 1, "{error}");
    }
    let rounds = "base = \"base.toml\"\nsearch = \"random\"\n[ranges]\n\"train.clip_norm\" = { uniform = [0.0, 1.0] }\n\
                  [budget]\nruns = 2\nstartup = 4\n";
    let error = Folder::new(rounds).plan().unwrap_err();
    assert!(error.contains("budget.startup: does nothing here"), "{error}");
}
