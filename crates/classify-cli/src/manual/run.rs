//! The manual of `classify run`.

use super::Block::{Code, List, Text};
use super::Section;

/// The sections at the end of `classify run --help`.
pub(crate) const RUN: &[Section] = &[
    Section {
        title: "Rules file",
        blocks: &[
            Code(
                "\
rules:
  - type: invoice
    description: A seller bills a customer and asks for payment by a due date.
  - type: other
    description: Anything that is none of the above.
parsing_configuration:      # optional
  lang: en
  max_pages: 5",
            ),
            Text(
                "In the short form, a mapping gives the description of each type: `rules: {invoice: A seller bills \
                 …}`. JSON and TOML files have the same keys.",
            ),
        ],
    },
    Section {
        title: "Documents",
        blocks: &[
            Text(
                "The arguments are files, folders, globs, and ids of uploaded files (dfl-…) or parse jobs (pjb-…). \
                 Folders are searched with their subfolders. Documents are listed in the order of the arguments, then \
                 by name. A path to a document that is already listed is skipped. Files with the same content are sent \
                 once and reported under each path.",
            ),
            Text(
                "Folders and globs skip hidden files and temporary files of other programs: `~$…` (open in an \
                 office program), `…~` (backup of an editor), `….part` and `….crdownload` (unfinished download), \
                 `Thumbs.db`, `desktop.ini` and `__MACOSX/`. To classify such a file, name it as an argument.",
            ),
            Text(
                "In a build with the feature `cloud`, `s3://bucket/key`, `gs://bucket/key` and `az://container/key` are \
                 documents too; see \"Documents in object stores\".",
            ),
            Text(
                "A link to a file counts as the file. A link to a folder is followed if it stays inside the folder \
                 that you gave; other links are counted and skipped, unless you add `--follow-links`.",
            ),
            Text(
                "Each file is hashed before it is sent. If it changes in between, the document has the status ERROR \
                 and no job is created. Empty files and files of more than 512 MiB are not sent; `--no-validate` sends \
                 them. Memory use depends on the number of paths, not on the size of the files.",
            ),
            Text(
                "The files that a run writes (output, report, journal) must differ from all files that it reads. If an \
                 earlier run wrote them into a folder that is searched, they are skipped and replaced.",
            ),
        ],
    },
    Section {
        title: "Documents in object stores",
        blocks: &[
            Text(
                "The binaries of a release read objects in S3, Google Cloud Storage and Azure. A build from source needs \
                 the feature `cloud`.",
            ),
            Code(
                "\
export AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
llamacloud-prod classify run s3://bucket/inbox/ --rules rules.yaml --output labels.csv --resume",
            ),
            Text(
                "An argument or a line of a list may be the URL of an object, a prefix (all objects below it), or a glob \
                 as in 's3://bucket/scans/**/*.pdf', and be mixed with paths. The key is written as it is, without \
                 percent-encoding. Prefixes and globs skip the names that folders skip. `--include` and `--exclude` are \
                 compared with the key below the prefix. Rows have the URL as `path`.",
            ),
            Text(
                "Each object is read once to hash it and once to upload it, in a stream, and is never held as a whole or \
                 written to disk. If it changes in between, the document has the status ERROR and no job is created. \
                 The journal records the hash of each ETag and size: with `--resume`, an object that has the same ETag \
                 and size is not read again. `--dry-run` reads the other objects, to find duplicates. `--move-to` and \
                 `--copy-to` do not accept objects.",
            ),
            Text(
                "Credentials are those of the variables AWS_… (such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                 AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP=true for an endpoint without HTTPS, and \
                 AWS_SKIP_SIGNATURE=true for a public bucket), GOOGLE_… (GOOGLE_SERVICE_ACCOUNT with the path of a file) \
                 and AZURE_… (AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY), or else those of the machine \
                 in the cloud. Profiles of the aws command are not read; `aws configure export-credentials --format env` \
                 prints their variables.",
            ),
            Text(
                "If an object cannot be read, its row names the cause and a remedy, and the next run reads it again. If \
                 several in a row fail because the store cannot be read (expired credentials, another region, no \
                 connection), the run stops.",
            ),
        ],
    },
    Section {
        title: "One charge per document",
        blocks: &[Text(
            "Each create has a transaction id that is derived from the content, the rules and the project. If the same \
             create is sent again, in a retry, after a crash or from another machine, the service returns the first \
             job and does not charge again. Running the same command again therefore costs requests, but no money. \
             Only two flags create new jobs at a new charge: `--retry-failed`, for documents whose job failed, was \
             cancelled or was deleted, and `--fresh`, for all documents.",
        )],
    },
    Section {
        title: "Journal",
        blocks: &[
            Text(
                "A journal also saves the requests. It is the file of `--journal`, or FILE.journal beside `--output \
                 FILE`. With `--resume`, finished documents are printed again without a request, pending jobs are \
                 polled, and all other documents are classified, including new files in a folder. If there is no \
                 journal, `--resume` starts a new run, so a script can always use it.",
            ),
            Text(
                "Without `--resume`, a journal that contains a run is rejected, even if that run has ended. A journal \
                 of other rules, another project or another service is always rejected. Only one process at a time can \
                 use a journal. A record is written before the step that depends on it; if it cannot be written, for \
                 example because the disk is full, the run stops.",
            ),
            Text(
                "To resume an interrupted run with `--retry-failed`, use `--resume --retry-failed`: documents that \
                 failed again are not charged once more. After the run has ended, the same command begins another \
                 round. Without a journal, leave out the flag when you repeat the command, because the documents it \
                 has already classified again are not recorded. `--resume` and `--fresh` need a journal.",
            ),
            Text(
                "A journal survives a crash of the process, but not always a power failure, because records are not \
                 flushed to the disk one by one. An incomplete last line is removed. Losing the journal costs \
                 requests, not money.",
            ),
        ],
    },
    Section {
        title: "Results",
        blocks: &[
            Text("Each document is a row with these fields. A field without a value is null."),
            List(&[
                (
                    "path",
                    "path as given, or as found in a folder that was given",
                ),
                ("status", "see below"),
                ("type", "type of the rule that matches; null if none does"),
                ("confidence", "from 0 to 1"),
                ("reasoning", "explanation by the service"),
                ("job_id, file_id", "if known, also after an error"),
                ("error", "reason why there is no result"),
                (
                    "error_code",
                    "code of the error, listed in docs/errors.md; not in CSV, nor in a run resumed from a journal \
                     without codes",
                ),
                (
                    "review, moved_to, copied_to",
                    "only with --review-below, --move-to and --copy-to",
                ),
            ]),
            Text("The status is one of these."),
            List(&[
                (
                    "COMPLETED",
                    "the document was classified; `type` is null if no rule matches",
                ),
                ("FAILED", "the job failed"),
                ("CANCELLED", "the job was cancelled"),
                (
                    "ERROR",
                    "no job was created, because of a problem with this document; if `error_code` is `content`, the \
                     file could not be read, and --resume reads it again",
                ),
                (
                    "MISSING",
                    "a job was created, but the service no longer has it; it was probably deleted",
                ),
                ("OPEN", "the job has not ended, and the run stopped waiting"),
                (
                    "NOT_STARTED",
                    "no job was created: the run stopped first, or the service could not be reached",
                ),
                (
                    "AMBIGUOUS",
                    "the response to the create was lost; repeating the run finds the job or creates it, and the \
                     document is charged once in total",
                ),
            ]),
            Text(
                "With jsonl and csv, a row is printed when its document is finished. With table, json, `--output`, \
                 `--move-to` and `--copy-to`, all rows are printed at the end, in the order in which the documents \
                 were found. The extension of the output file (.csv, .json or .jsonl) selects the format, unless \
                 `--format` does.",
            ),
            Text(
                "On a terminal, two lines on stderr show the progress: finished documents, documents per second \
                 (measured over the last minute), time left, and how many documents are uploaded, waiting, done and \
                 failed. `--quiet`, a pipe and TERM=dumb turn them off. At the end, a terminal shows the number of \
                 documents of each type.",
            ),
        ],
    },
    Section {
        title: "Review and report",
        blocks: &[
            Text(
                "`--review-below N` marks a document for review if its confidence is below N, if it has no match or no \
                 result, or if its result is implausible: a confidence outside of 0 to 1, or a type that no rule has. \
                 Implausible results are also reported by a warning.",
            ),
            Text(
                "`--report` writes one HTML page that needs no network: figures, the distribution of the confidence, \
                 and a table to sort, search and filter, beginning with the documents to review. With `--labels`, a \
                 number of the confusion matrix lists its documents. The page is written even if the run stops early. \
                 It contains names and reasons, so it is as confidential as the documents.",
            ),
            Text(
                "A document has a link if its file existed when the page was written: relative to the page if it lies \
                 in the folder of the page or below, so that you can move that folder, and otherwise absolute. \
                 Documents that a browser would run scripts of (HTML, SVG, XML) have none.",
            ),
        ],
    },
    Section {
        title: "Labels",
        blocks: &[
            Text(
                "`--labels` compares the results with correct types and reports accuracy, precision and recall of each \
                 type, a confusion matrix, and the effect of each confidence threshold, on stderr and in the report. \
                 A threshold covers the results with at least that confidence. A document without a result counts as \
                 incorrect and is also counted separately.",
            ),
            Text(
                "A CSV file needs a header with the columns `path` and `type`. A JSON file is a list of objects with \
                 these keys; a JSON lines file has one object per line. Other columns are ignored, so you can correct \
                 the types in the rows of an earlier run and use them as labels; rows of documents without a result \
                 are skipped.",
            ),
            Text(
                "A path is written as in the rows, or relative to the folder of the labels file. An empty type means \
                 that no rule should match. Paths and types are compared exactly, and then in their composed Unicode \
                 form, since macOS decomposes letters.",
            ),
            Text(
                "Columns are separated by commas, semicolons or tabs, their names may have any case, and a first line \
                 `sep=;` is allowed. The text is UTF-8, or UTF-16 with a byte order mark; in Excel, choose \"CSV \
                 UTF-8\".",
            ),
            Text(
                "Labels without a document and documents without a label are reported; with `--dry-run`, before \
                 anything is charged. With `--format json` or `jsonl`, the figures are one object on stderr: \
                 `{\"evaluation\": {\"labelled\", \"accuracy\", \"types\", \"confusion\", \"thresholds\", …}}`.",
            ),
        ],
    },
    Section {
        title: "Moving and copying",
        blocks: &[
            Text(
                "At the end of the run, after the output has been written, each file with a type is moved or copied \
                 into the folder of its type. Documents without a match or a result, documents to review, and ids are \
                 left where they are and counted.",
            ),
            Text(
                "Nothing is overwritten. If the name is taken, a number such as (2) is added before the extension, and a long name \
                 is shortened for it; a copy with the same content is kept as it is. Characters of a type that a \
                 folder's name cannot contain are replaced by `_`. A `~` at the start of the template is rejected, \
                 because only a shell expands it, and not in quotes; write `$HOME`.",
            ),
            Text(
                "A file is moved as it is at that time, even if it has changed since it was sent. Between file \
                 systems, it is copied, flushed to the disk and compared before the original is removed. Of a symbolic \
                 link, the content is copied and only the link is removed. If a file cannot be moved, the others still \
                 are, and the exit code is 3.",
            ),
            Text(
                "An interrupted run moves nothing, or nothing more; `--resume` moves the files that are left. Files \
                 that were already moved have no row in the resumed run, so give it another `--output`. A destination \
                 inside a folder that is searched is skipped.",
            ),
        ],
    },
    Section {
        title: "Errors and interruption",
        blocks: &[
            Text(
                "A document that fails does not stop the others. The run stops if the key is rejected or has expired, if \
                 the credits or the credit cap of the project are used up, or if a captive portal or a firewall answers \
                 with HTML instead of the service. Documents that were not sent are then listed as NOT_STARTED.",
            ),
            Text(
                "On Ctrl-C, SIGTERM or SIGHUP, the run waits up to ten seconds for requests that are in flight, prints \
                 the open jobs and the command that resumes the run, and exits with 130. A second Ctrl-C exits at \
                 once. `--cancel-on-interrupt` cancels the open jobs. On Linux, a signal that was ignored when the \
                 command started stays ignored, so `nohup` works.",
            ),
            List(&[
                ("0", "every document was classified"),
                ("3", "some documents were not classified or not moved"),
                ("4", "the API key was rejected"),
                ("5", "the plan has no credits left"),
                ("8", "the deadline was reached"),
                ("130", "the run was interrupted"),
            ]),
        ],
    },
    Section {
        title: "Examples",
        blocks: &[Code(
            "\
llamacloud-prod classify run examples/documents --rules examples/rules.yaml --emulator
llamacloud-prod classify run inbox/ --rules rules.yaml --max-pages 2 --dry-run
llamacloud-prod classify run inbox/ --rules rules.yaml --max-pages 2 --output labels.csv --resume
llamacloud-prod classify run inbox/ --rules rules.yaml --review-below 0.8 --report report.html
llamacloud-prod classify run inbox/ --rules rules.yaml --labels truth.csv --report report.html
llamacloud-prod classify run inbox/ --rules rules.yaml \\
  --review-below 0.8 --move-to 'sorted/{type}/'
llamacloud-prod classify run inbox/ --rules rules.yaml --shard 2/3 --output labels-2.jsonl
llamacloud-prod classify run 'scans/**/*.pdf' \\
  --rule 'invoice=asks for payment by a due date' --rule 'other=anything else at all'
llamacloud-prod classify run letter.pdf dfl-123 --configuration-id cfg-123 | jq -r .type",
        )],
    },
];
