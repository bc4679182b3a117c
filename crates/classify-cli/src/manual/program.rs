//! The manual of the program.

use super::Block::{Code, List, Text};
use super::Section;

/// The sections at the end of `llamacloud-prod --help`.
pub(crate) const PROGRAM: &[Section] = &[
    Section {
        title: "Environment",
        blocks: &[
            List(&[
                (
                    "LLAMA_CLOUD_API_KEY",
                    "API key; if empty, LLAMA_PARSE_API_KEY is used",
                ),
                ("LLAMA_CLOUD_BASE_URL", "base URL of the service"),
                (
                    "LLAMA_CLOUD_CUSTOM_HEADERS",
                    "additional headers, one `Name: value` per line",
                ),
                (
                    "LLAMA_CLOUD_WEBHOOK_SECRET",
                    "signing secret of `webhooks verify` and `webhooks listen`; @ has no special meaning in it",
                ),
                (
                    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY",
                    "proxy, with http:// or https://",
                ),
                (
                    "NO_PROXY",
                    "hosts to reach without the proxy; this machine is always reached without it",
                ),
                (
                    "SSL_CERT_FILE",
                    "PEM or DER file of certificate authorities to trust instead of the system's",
                ),
                ("NO_COLOR", "disables colors if it is not empty"),
                (
                    "LLAMA_CLOUD_PAGER, PAGER",
                    "pager for long lists, `less` by default; if empty or `cat`, no pager is used",
                ),
                (
                    "LESS",
                    "options of `less`; if it is not set, the command sets FRX",
                ),
                (
                    "COLUMNS",
                    "width of a table in a file, in a pipe or on a terminal of unknown size; 80 by default",
                ),
            ]),
            Text(
                "Flags override these environment variables. Prefer `--api-key-file` to `--api-key`: other users can \
                 read the arguments of a process, and the command prints a warning. A key is valid in one region only.",
            ),
            Text(
                "`--debug` logs the method, path, status, attempt and time of each request to stderr. No log and no \
                 error contains a key, a secret or a document, even if the service repeats one in an error message.",
            ),
        ],
    },
    Section {
        title: "Values",
        blocks: &[
            Text(
                "Write objects and lists in YAML or JSON. `@FILE` reads a value from a file, `\\@` begins a value with \
                 a literal @, and `null` means no value. Inside a file, @ has no special meaning. To give several \
                 values, repeat the flag. You can also give an object field by field: `--rule.type invoice --rule.description \
                 '…'`; the next `--rule.type` begins the next object.",
            ),
            Text(
                "In YAML, only `true` and `false` are booleans, so `lang: no` is Norwegian. A text needs quotes if it \
                 contains a colon before a space or a # after a space, or begins with a special character such as \
                 `@`, `*` or `[`; the error names the line and column. If YAML ignores a part of a text, \
                 such as everything after a # or a first word with & or !, the command prints a warning before \
                 anything is charged; `classify rules check` reports it too.",
            ),
            Text(
                "A configuration has the same forms as a rules file. An unknown key in it is an error, because \
                 ignoring a misspelled page limit would cost money; `--no-validate` sends the configuration as it is.",
            ),
        ],
    },
    Section {
        title: "Standard input",
        blocks: &[Text(
            "A YAML or JSON map on stdin sets what the flags do not, under the names of the API. A command that \
             creates something reads stdin to its end; a list waits one second for input. In a loop that reads lines, \
             or beside a pipe that stays open, add `</dev/null` or `--no-stdin`.",
        )],
    },
    Section {
        title: "Output",
        blocks: &[
            Text(
                "Results go to stdout; progress, notes and errors go to stderr. On a terminal, documents are printed \
                 as a table and jobs as indented JSON; in a pipe, both are JSON lines. `--format` selects another \
                 format. Jobs that are waited for and webhook events are printed as they arrive. `--output FILE` replaces the file as a whole and never leaves it incomplete. Closing the \
                 pipe early (`| head`) is not an error.",
            ),
            Text(
                "On a terminal, a list that is longer than the screen is shown in a pager, as by `git log`. Its first \
                 items are shown while the others are requested; if you quit the pager, no more are requested. \
                 `--no-pager` and `--debug` turn it off, and it is not used if it is not installed. `classify run` does not \
                 use it.",
            ),
            Text(
                "`--transform PATH` prints a part of each result, selected by a GJSON path, and `--raw-output` prints \
                 strings without quotes. `--format raw` prints the response as the service sent it; of a list, one \
                 page. `classify run` accepts none of these three, nor `--format yaml`. For compatibility with the \
                 official tool, `--format explore` means auto and `pretty` means table.",
            ),
            Text(
                "Control characters are replaced if the output is a terminal, and only then. Import CSV files as \
                 text: names and reasons come from documents, and a spreadsheet treats a cell that begins with =, +, \
                 - or @ as a formula. Excel recognizes UTF-8 by a byte order mark, which `--csv-bom` writes.",
            ),
            Text(
                "With `--format json` or `jsonl`, an error is one JSON object on stderr: `{\"error\": {\"kind\", \
                 \"exit_code\", \"message\", …}}`. If known, it also has `code` (listed in docs/errors.md), `cause`, \
                 `hint`, `resume` (the command that resumes the run), `open_jobs`, `operation`, `status`, `job_id`, \
                 `transaction_id`, `file_id`, `config_id`, `request_id`, `retry_after_seconds` and `fields`. It names \
                 what was created before the error. Notes and warnings are objects too: `{\"note\": \"…\"}`.",
            ),
        ],
    },
];

/// The examples of the program.
pub(crate) const EXAMPLES: &[Section] = &[Section {
    title: "Examples",
    blocks: &[Code(
        "\
llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
llamacloud-prod classify run invoices/ --rules rules.yaml
llamacloud-prod classify get clj-123
llamacloud-prod classify list --status COMPLETED --max-items 20",
    )],
}];
