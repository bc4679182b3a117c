//! The manual of `mcp`.

use super::Block::{Code, List, Text};
use super::Section;

/// The sections at the end of `mcp --help`.
pub(crate) const MCP: &[Section] = &[
    Section {
        title: "Client",
        blocks: &[
            Text(
                "An MCP client starts the command and talks to it on stdin and stdout. Its configuration looks like \
                 this:",
            ),
            Code(
                "\
{
  \"mcpServers\": {
    \"llamacloud\": {
      \"command\": \"llamacloud-prod\",
      \"args\": [\"mcp\", \"--root\", \"/home/me/inbox\"],
      \"env\": {\"LLAMA_CLOUD_API_KEY\": \"llx-…\"}
    }
  }
}",
            ),
            Text(
                "The command is in the binaries of a release. A build needs the feature: `cargo build --release -p \
                 classify-cli --features mcp`. A build without it does not list the command and exits with 2.",
            ),
        ],
    },
    Section {
        title: "Tools",
        blocks: &[
            List(&[
                (
                    "check_rules",
                    "find errors and likely mistakes in rules; free, needs no key",
                ),
                (
                    "estimate",
                    "count documents, pages and paid jobs without sending anything; free, needs no key",
                ),
                (
                    "classify",
                    "start a run and return its id at once; one paid job per new document",
                ),
                (
                    "status",
                    "counts of a run; waits up to 50 s and reports the progress if asked; free",
                ),
                (
                    "results",
                    "rows of a run, by type or below a confidence, in pages; free",
                ),
                ("cancel", "stop a run; jobs that were created stay paid"),
            ]),
            Text(
                "`estimate` and `classify` have the same arguments: `paths` (files, folders, globs, and ids of files \
                 or parse jobs), `exclude`, `include`, and `rules`, `rules_file` or `configuration_id`, with `lang`, \
                 `target_pages` and `max_pages`. A call accepts up to 100 documents; `--max-documents` changes that.",
            ),
            Text(
                "Results are structured. Rows have the keys of `classify run --format jsonl`. An error of a tool is the \
                 JSON object that the command line prints with `--format json`, with a `hint`.",
            ),
        ],
    },
    Section {
        title: "Runs",
        blocks: &[
            Text(
                "The id of a run is derived from the root, paths, filters, rules or configuration, organization, project \
                 and base URL. The same call therefore returns the same run: if it is running, also in another process, \
                 its state; otherwise it continues the run. Documents that have a job are not charged again. New files in \
                 a folder are added. A document that another run or `classify run` has classified with the same rules \
                 and project is not charged again either.",
            ),
            Text(
                "If the client closes the pipe, cancels the run or ends the process, the run stops, and open jobs continue \
                 at the service. The same `classify` call continues it. Cancelling a call, such as a `status` that waits, \
                 does not stop the run.",
            ),
            Text(
                "Each run has a folder with its journal and rows in llamacloud-prod/mcp of $XDG_STATE_HOME or \
                 ~/.local/state, and on Windows of %LOCALAPPDATA%; `--state-dir` selects another folder. Only the user \
                 can read it. If you delete the folder of a run, its results are lost, but the same call finds its jobs \
                 at the service. With `--emulator`, runs end with the process.",
            ),
        ],
    },
    Section {
        title: "Files",
        blocks: &[
            Text(
                "Only files in the root are read, and any of them can be sent to the service if an agent asks for it, \
                 except the file of `--api-key-file`. Choose a root with nothing but documents. A path outside of the \
                 root, with `..`, or through a link that leads out is rejected; a link out that is found in a folder gets \
                 a row with an error. When a file is opened, the path is resolved below the root once more, so that a \
                 link that was replaced in between does not lead out either.",
            ),
            Text(
                "Nothing of a document is logged, and neither is the key; journals and rows contain names and reasons.",
            ),
        ],
    },
    Section {
        title: "Examples",
        blocks: &[Code(
            "\
llamacloud-prod mcp --root ~/inbox
llamacloud-prod mcp --root ~/inbox --max-documents 20 --emulator",
        )],
    },
];
