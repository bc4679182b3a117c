//! `mcp` in a build with the feature, and in one without. `tests/mcp/run.sh` has the exchange with a real client.

mod common;

use common::{bare_command, run_to_end};

fn help(words: &[&str]) -> String {
    run_to_end(bare_command(words)).assert_exit(0).stdout
}

#[cfg(not(feature = "mcp"))]
#[test]
fn mcp_of_a_build_without_it_is_not_listed_and_names_the_feature() {
    for words in [["-h"], ["--help"]] {
        assert!(!help(&words).contains("mcp"));
    }
    for words in [&["mcp"][..], &["mcp", "--root", "."], &["mcp", "--help"]] {
        let found = run_to_end(bare_command(words));
        assert_eq!((found.code, &*found.stdout), (2, ""), "{found:?}");
        assert!(found.stderr.contains("this build has no MCP server"));
        assert!(found.stderr.contains("the feature `mcp`"), "{found:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(!help(&["completion", shell]).contains("mcp"), "{shell}");
    }
}

#[cfg(feature = "mcp")]
#[test]
fn mcp_of_a_build_with_it_is_listed_and_ends_with_its_pipe() {
    assert!(help(&["-h"]).contains("\n  mcp "));
    let long = help(&["mcp", "--help"]);
    for part in ["--max-documents", "check_rules", "mcpServers"] {
        assert!(long.contains(part), "{part}: {long}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let found = run_to_end(bare_command(&["mcp", "--root", path, "--state-dir", path]));
    assert_eq!(
        (found.code, &*found.stdout, &*found.stderr),
        (0, "", ""),
        "stdin is empty"
    );
}

#[cfg(feature = "mcp")]
#[test]
fn mcp_rejects_the_key_on_stdin_and_wrong_limits() {
    for words in [
        &["mcp", "--max-documents", "0"][..],
        &["mcp", "--max-documents", "10001"],
        &["mcp", "--root", "no/such/folder"],
        &["mcp", "--root", ".", "--api-key-file", "-"],
    ] {
        let found = run_to_end(bare_command(words));
        assert_eq!(found.code, 2, "{words:?}: {found:?}");
    }
}
