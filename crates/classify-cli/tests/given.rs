//! What `classify run` is given: rules from files and flags, and documents that are not there.

mod common;

use std::fs;

use common::Bench;

#[test]
fn rules_come_from_any_language_or_from_flags() {
    let bench = Bench::new();
    bench.file(
        "rules.json",
        r#"{"rules": {"invoice": "An invoice asks for payment of an amount."}}"#,
    );
    bench.file(
        "rules.toml",
        "[[rules]]\ntype = 'invoice'\ndescription = 'An invoice asks for payment of an amount.'",
    );
    let rule = "invoice=An invoice asks for payment of an amount.";
    for flags in [
        ["--rules", "rules.json"],
        ["--rules", "rules.toml"],
        ["--rule", rule],
    ] {
        let words = [&["classify", "run", "docs/bill.txt"][..], &flags].concat();
        assert_eq!(
            bench.run(&words).ends(0).lines()[0]["type"],
            "invoice",
            "{flags:?}"
        );
    }
    let found = bench.run(&[
        "classify",
        "run",
        "docs/bill.txt",
        "--rules",
        "rules.yaml",
        "--rule",
        "other=Anything else, whatever it may be.",
        "--lang",
        "de",
        "--max-pages",
        "3",
        "--target-pages",
        "1,2",
    ]);
    found.ends(0);
    let job = bench.emulator.jobs().pop().unwrap().json;
    assert_eq!(job["configuration"]["rules"].as_array().unwrap().len(), 3);
    assert_eq!(job["configuration"]["parsing_configuration"]["lang"], "de");
    assert_eq!(
        job["configuration"]["parsing_configuration"]["max_pages"],
        3
    );
    assert_eq!(
        job["configuration"]["parsing_configuration"]["target_pages"],
        "1,2"
    );
}

#[test]
fn a_mistake_in_the_rules_names_place_and_remedy_and_sends_nothing() {
    let bench = Bench::new();
    for (name, text, place, remedy) in [
        (
            "a.yaml",
            "rules:\n  - type: invoice\n    description: short\n",
            "a.yaml: rules[0] (\"invoice\"): description",
            "10 to 2000",
        ),
        (
            "b.yaml",
            "rules:\n  - type: a/b\n    description: long enough for it\n",
            "rules[0] (\"a/b\"): type",
            "letters, digits",
        ),
        (
            "c.yaml",
            "rules: []\n",
            "c.yaml: rules",
            "at least one rule",
        ),
        (
            "d.yaml",
            "rules:\n  - type: invoice\n  description: x\n",
            "d.yaml",
            "line 2",
        ),
        ("e.yaml", "rule:\n  - type: invoice\n", "`rule`", "`rules`"),
        (
            "f.json",
            "{\"rules\": [\n  {\"type\": 1099, \"description\": \"d\"}]}",
            "f.json: rules[0].type",
            "line 2",
        ),
        ("g.toml", "[[rules]]\ntype = \n", "g.toml", "line 2"),
        ("h.txt", "rules", "h.txt", ".yaml, .json or .toml"),
        (
            "i.yaml",
            "rules: {a: the same words here}\nparsing_configuration: {target_pages: 3-1}",
            "i.yaml: parsing_configuration.target_pages",
            "3-1",
        ),
        ("missing.yaml", "", "missing.yaml", "check the path"),
    ] {
        if name != "missing.yaml" {
            bench.file(name, text);
        }
        let found = bench
            .run(&["classify", "run", "docs", "--rules", name])
            .ends(2);
        assert!(found.stdout.is_empty());
        found.complains(place).complains(remedy);
    }
    bench
        .run(&["classify", "run", "docs", "--rule", "invoice=short"])
        .ends(2)
        .complains("--rule number 1 (\"invoice\"): description");
    bench
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--target-pages",
            "0",
        ])
        .ends(2)
        .complains("--target-pages");
    assert_eq!(bench.emulator.request_count(), 0);
    // The service's limits may move: without checks it is the service that refuses.
    let found = bench
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "a.yaml",
            "--no-checks",
        ])
        .ends(3);
    assert!(found.lines()[0]["error"].as_str().unwrap().contains("422"));
}

#[test]
fn wrong_inputs_are_told() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("empty")).unwrap();
    bench
        .run(&["classify", "run", "empty", "--rules", "rules.yaml"])
        .ends(2)
        .complains("no documents in empty");
    bench
        .run(&["classify", "run", "*.pdf", "--rules", "rules.yaml"])
        .ends(2)
        .complains("no documents in *.pdf");
    bench
        .run(&[
            "classify",
            "run",
            "docs/*.txt",
            "--rules",
            "rules.yaml",
            "--quiet",
        ])
        .ends(0);
    bench
        .run(&["classify", "run", "docs"])
        .ends(2)
        .complains("--rules");
    bench
        .run(&["classify", "run", "--rules", "rules.yaml"])
        .ends(2)
        .complains("PATH");
    bench
        .run(&[
            "classify",
            "run",
            "docs",
            "--configuration-id",
            "cfg-1",
            "--lang",
            "de",
        ])
        .ends(2)
        .complains("--lang");
    for id in ["", " "] {
        bench
            .run(&["classify", "run", "docs", "--configuration-id", id])
            .ends(2)
            .complains("--configuration-id");
    }
    bench
        .run(&["classify", "run", "docs", "--configuration-id", "cfg-1"])
        .ends(6)
        .complains("configuration cfg-1 not found");
}
