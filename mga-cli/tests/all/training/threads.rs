//! Neither the threads of the kernels nor those of the loader change a bit.

use mga_testing::process::succeed;

use super::tiny::{SGD, Tiny};

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for set in [&[][..], &SGD] {
        let tiny = Tiny::new(set);
        succeed(tiny.train("one", &[]));
        let one = tiny.run("one");
        assert!(one.rest.contains_key("predictions.csv"));
        for (out, more) in [
            ("kernels", ["threads=4", "data.workers=1"]),
            ("workers", ["threads=1", "data.workers=4"]),
            ("both", ["threads=4", "data.workers=4"]),
        ] {
            succeed(tiny.train(out, &more));
            tiny.run(out).assert_same(&one);
        }
    }
}
