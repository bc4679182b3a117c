//! Inputs of `classify run`: rules from files and flags, and missing documents.

mod common;

use common::Sandbox;

#[test]
fn path_that_is_a_url_or_has_unexpanded_home_has_a_hint() {
    let sandbox = Sandbox::new();
    for (path, hint) in [
        ("https://example.com/a.pdf", "path 2: a URL is not a path"),
        ("https://example.com/*.pdf", "path 2: a URL is not a path"),
        ("file:///tmp/a.pdf", "remove file://"),
        ("~/a.pdf", "path 2: ~ is expanded only by a shell"),
    ] {
        for flags in [&[][..], &["--dry-run"]] {
            let words = [
                "classify",
                "run",
                "docs/bill.txt",
                path,
                "--rules",
                "rules.yaml",
            ];
            sandbox.run(&[&words, flags].concat()).assert_stderr(hint);
        }
    }
    // The flags that name a file, too.
    for (flag, file) in [
        ("--rules", "~/rules.yaml"),
        ("--output", "~/rows.csv"),
        ("--report", "~/report.html"),
        ("--ca-cert", "~/ca.pem"),
        ("--api-key-file", "~/key"),
    ] {
        let mut words = vec!["classify", "run", "docs/bill.txt", flag, file];
        if flag != "--rules" {
            words.extend(["--rules", "rules.yaml"]);
        }
        sandbox
            .run(&words)
            .assert_stderr("~ is expanded only by a shell");
    }
}

#[cfg(not(feature = "cloud"))]
#[test]
fn url_of_object_names_the_build_that_reads_it() {
    let sandbox = Sandbox::new();
    for url in [
        "s3://bucket/inbox/",
        "gs://bucket/*.pdf",
        "az://container/a.pdf",
    ] {
        let words = ["classify", "run", "docs/", url, "--rules", "rules.yaml"];
        let output = sandbox.run(&words);
        output
            .assert_exit(3)
            .assert_stderr(
                "path 2: this build does not read object stores: use the binary of a release",
            )
            .assert_stderr("the feature `cloud`");
    }
}

#[test]
fn rules_are_read_from_json_toml_yaml_and_flags() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "rules.json",
        r#"{"rules": {"invoice": "An invoice asks for payment of an amount."}}"#,
    );
    sandbox.file(
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
            sandbox.run(&words).assert_exit(0).lines()[0]["type"],
            "invoice",
            "{flags:?}"
        );
    }
    let found = sandbox.run(&[
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
    found.assert_exit(0);
    let job = sandbox.emulator.jobs().pop().unwrap().json;
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
fn validation_of_rules_names_location_and_remedy_before_sending() {
    let sandbox = Sandbox::new();
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
            sandbox.file(name, text);
        }
        let found = sandbox
            .run(&["classify", "run", "docs", "--rules", name])
            .assert_exit(2);
        assert!(found.stdout.is_empty());
        found.assert_stderr(place).assert_stderr(remedy);
    }
    sandbox
        .run(&["classify", "run", "docs", "--rule", "invoice=short"])
        .assert_exit(2)
        .assert_stderr("--rule number 1 (\"invoice\"): description");
    sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "rules.yaml",
            "--target-pages",
            "0",
        ])
        .assert_exit(2)
        .assert_stderr("--target-pages");
    assert_eq!(sandbox.emulator.request_count(), 0);
    // The service's limits may change: without validation the service rejects the request.
    let found = sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "a.yaml",
            "--no-validate",
        ])
        .assert_exit(3);
    assert!(found.lines()[0]["error"].as_str().unwrap().contains("422"));
}

#[test]
fn inputs_missing_or_invalid_are_rejected() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["classify", "run", "emtpy/*.pdf", "--rules", "rules.yaml"])
        .assert_exit(2)
        .assert_stderr("no documents found in emtpy/*.pdf");
    sandbox
        .run(&["classify", "run", "*.pdf", "--rules", "rules.yaml"])
        .assert_exit(2)
        .assert_stderr("no documents found in *.pdf");
    sandbox
        .run(&[
            "classify",
            "run",
            "docs/*.txt",
            "--rules",
            "rules.yaml",
            "--quiet",
        ])
        .assert_exit(0);
    sandbox
        .run(&["classify", "run", "docs"])
        .assert_exit(2)
        .assert_stderr("--rules");
    sandbox
        .run(&["classify", "run", "--rules", "rules.yaml"])
        .assert_exit(2)
        .assert_stderr("PATH");
    sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--configuration-id",
            "cfg-1",
            "--lang",
            "de",
        ])
        .assert_exit(2)
        .assert_stderr("--lang");
    for id in ["", " "] {
        sandbox
            .run(&["classify", "run", "docs", "--configuration-id", id])
            .assert_exit(2)
            .assert_stderr("--configuration-id");
    }
    sandbox
        .run(&["classify", "run", "docs", "--configuration-id", "cfg-1"])
        .assert_exit(6)
        .assert_stderr("cfg-1: configurations.get: 404 Not Found: Configuration not found");
}
