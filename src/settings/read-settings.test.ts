import { expect } from "chai";
import { parseFlags } from "./parse-flags.ts";
import {
	type Environment,
	readSettings,
	unknownEnvironment,
} from "./read-settings.ts";
import { clientSchema, serveSchema } from "./schema.ts";
import type { Schema } from "./setting.ts";

const schema = {
	listen: { type: "address", default: "127.0.0.1:1", help: "Where" },
	wait: { type: "duration", default: "10ms", max: 1000, help: "How long" },
	size: { type: "size", default: "1KiB", help: "How big" },
	word: { type: "text", default: "x", secret: true, help: "The word" },
	logFormat: {
		type: "choice",
		values: ["json", "text"],
		default: "json",
		help: "Form",
	},
	only: { type: "text", repeatable: true, help: "Names" },
	quiet: { type: "boolean", help: "Less" },
	folder: { type: "path", default: "$XDG_STATE_HOME/a", help: "Folder" },
} as const satisfies Schema;

function read(given: {
	readonly words?: readonly string[];
	readonly environment?: Environment;
	readonly file?: unknown;
}) {
	const { flags, problems } = parseFlags(schema, given.words ?? []);
	expect(problems).to.deep.equal([]);
	return readSettings(schema, {
		flags,
		environment: { HOME: "/home/me", ...given.environment },
		...(given.file === undefined
			? {}
			: { file: { path: "lateen.yaml", content: given.file } }),
	});
}

function settingsOf(given: Parameters<typeof read>[0]) {
	const result = read(given);
	if (!result.ok) throw new Error(result.problems.join("\n"));
	return result.settings;
}

function problemsOf(given: Parameters<typeof read>[0]): readonly string[] {
	const result = read(given);
	return result.ok ? [] : result.problems;
}

describe("readSettings", () => {
	const everywhere = {
		words: ["--listen", "127.0.0.1:4"],
		environment: { LATEEN_LISTEN: "127.0.0.1:3" },
		file: { listen: "127.0.0.1:2" },
	};
	const cases = [
		{ name: "takes the flag first", given: everywhere, want: "127.0.0.1:4" },
		{
			name: "takes the environment when there is no flag",
			given: { ...everywhere, words: [] },
			want: "127.0.0.1:3",
		},
		{
			name: "takes the file when there is neither",
			given: { file: everywhere.file },
			want: "127.0.0.1:2",
		},
		{ name: "takes the default last", given: {}, want: "127.0.0.1:1" },
	];
	for (const { name, given, want } of cases)
		it(name, () => expect(settingsOf(given).listen).to.equal(want));

	it("reads durations as milliseconds and sizes as bytes", () => {
		const settings = settingsOf({ words: ["--wait=1s", "--size", "64KiB"] });
		expect(settings.wait).to.equal(1000);
		expect(settings.size).to.equal(65_536);
	});

	it("collects a repeatable flag, and an environment list with commas", () => {
		expect(
			settingsOf({ words: ["--only", "a", "--only=b"] }).only,
		).to.deep.equal(["a", "b"]);
		expect(
			settingsOf({ environment: { LATEEN_ONLY: "a,b" } }).only,
		).to.deep.equal(["a", "b"]);
		expect(settingsOf({}).only).to.deep.equal([]);
	});

	it("expands the home folder, and follows XDG_STATE_HOME only if it is absolute", () => {
		expect(settingsOf({}).folder).to.equal("/home/me/.local/state/a");
		expect(
			settingsOf({ environment: { XDG_STATE_HOME: "/var/s" } }).folder,
		).to.equal("/var/s/a");
		expect(
			settingsOf({ environment: { XDG_STATE_HOME: "s" } }).folder,
		).to.equal("/home/me/.local/state/a");
		expect(settingsOf({ words: ["--folder", "~/b"] }).folder).to.equal(
			"/home/me/b",
		);
	});

	it("never shows a secret, neither in force nor in a problem", () => {
		const result = read({ words: ["--word", "hunter2"] });
		expect(result.ok && result.effective.map(({ text }) => text)).to.include(
			"<redacted>",
		);
		expect(JSON.stringify(result.ok && result.effective)).not.to.include(
			"hunter2",
		);
	});

	it("reports every bad value at once, with where it was given", () => {
		expect(
			problemsOf({
				words: ["--listen", "nowhere"],
				environment: { LATEEN_WAIT: "5" },
				file: { logFormat: "jsn" },
			}),
		).to.deep.equal([
			'--listen is "nowhere"; expected is an address like 127.0.0.1:15010 (port 0: any free one).',
			'LATEEN_WAIT is "5"; expected is a time like 250ms, 10s or 5m.',
			'logFormat in lateen.yaml is "jsn"; expected is one of json, text (did you mean json?).',
		]);
	});

	it("refuses what lies beyond the limits", () => {
		expect(problemsOf({ words: ["--wait", "2s"] })[0]).to.include("at most 1s");
	});

	it("refuses an unknown name in the file and names the nearest", () => {
		expect(problemsOf({ file: { lsten: "x" } })).to.deep.equal([
			"lateen.yaml: the setting lsten is not known. Did you mean listen?",
		]);
	});

	it("refuses a file that is not a mapping", () => {
		expect(problemsOf({ file: ["listen"] })[0]).to.include(
			"must be a YAML mapping",
		);
	});

	it("asks for a setting that must be given", () => {
		const result = readSettings(serveSchema, {
			flags: new Map(),
			environment: {},
		});
		expect(!result.ok && result.problems).to.deep.equal([
			"--source must be given: Where the objects come from: `kubernetes`, or `directory:PATH`.",
		]);
	});
});

describe("parseFlags", () => {
	it("refuses an unknown flag and names the nearest", () => {
		expect(parseFlags(schema, ["--lisen", "x"]).problems).to.deep.equal([
			"There is no flag --lisen. Did you mean --listen?",
		]);
	});

	it("refuses a flag without its value, and a single flag given twice", () => {
		expect(parseFlags(schema, ["--listen"]).problems).to.deep.equal([
			"--listen needs a value.",
		]);
		expect(
			parseFlags(schema, ["--wait=1s", "--wait=2s"]).problems,
		).to.deep.equal(["--wait is given more than once."]);
	});

	it("keeps what is no flag, and everything after --", () => {
		expect(
			parseFlags(schema, ["a", "--quiet", "-", "--", "--wait"]).positionals,
		).to.deep.equal(["a", "-", "--wait"]);
	});
});

describe("unknownEnvironment", () => {
	it("refuses a mistyped variable and leaves those of Kubernetes Services alone", () => {
		expect(
			unknownEnvironment(Object.keys({ ...serveSchema, ...clientSchema }), {
				LATEEN_XDS_LITSEN: "x",
				LATEEN_LOG_LEVEL: "info",
				LATEEN_PORT: "tcp://10.96.0.1:443",
				LATEEN_PORT_443_TCP_ADDR: "10.96.0.1",
				LATEEN_SERVICE_HOST: "10.96.0.1",
				PATH: "/bin",
			}),
		).to.deep.equal([
			"The variable LATEEN_XDS_LITSEN is not known. Did you mean LATEEN_XDS_LISTEN?",
		]);
	});
});
