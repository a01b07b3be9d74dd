import { expect } from "chai";
import { parse } from "yaml";
import { reviews, rule } from "./manifests.ts";
import { runLateen } from "./run-lateen.ts";
import { withFolder } from "./temporary-folder.ts";

const good = rule("good", "{destination: {name: reviews}, timeout: 3s}");
const negative = rule(
	"negative",
	"{destination: {name: reviews}, route: [{weight: -1}]}",
);

describe("lateen validate", () => {
	it("says nothing but a summary about good files", async () => {
		const { code, out, err } = await withFolder(
			{ "a.yaml": reviews, "b.yaml": good },
			(folder) => runLateen(["validate", folder]),
		);
		expect(out).to.equal("");
		expect(err).to.equal(
			"3 objects valid, 0 refused; 0 violations, 0 warnings.\n",
		);
		expect(code).to.equal(0);
	});

	it("names file, line, column and field path of each violation, and exits 1", async () => {
		const { code, out, err } = await withFolder(
			{ "a.yaml": reviews, "b.yaml": `${good}---\n${negative}` },
			(folder) => runLateen(["validate", "a.yaml", "b.yaml"], { cwd: folder }),
		);
		expect(code).to.equal(1);
		expect(out).to.match(
			/^b\.yaml:9:\d+: RouteRule default\/negative: spec\.route\[0\]\.weight: /,
		);
		expect(err).to.include("1 refused");
	});

	const bad = [
		{
			name: "an unknown field",
			spec: "{destination: {name: reviews}, timeot: 3s}",
			path: "spec.timeot",
		},
		{
			name: "a duration without a unit",
			spec: "{destination: {name: reviews}, timeout: '5'}",
			path: "spec.timeout",
		},
		{
			name: "all weights 0",
			spec: "{destination: {name: reviews}, route: [{weight: 0}, {weight: 0}]}",
			path: "spec.route",
		},
		{
			name: "route and redirect together",
			spec: "{destination: {name: reviews}, route: [{weight: 1}], redirect: {path: /x}}",
			path: "spec",
		},
		{
			name: "a regex that RE2 refuses",
			spec: "{destination: {name: reviews}, match: [{path: {regex: '(?=a)'}}]}",
			path: "spec.match[0].path.regex",
		},
	];
	for (const { name, spec, path } of bad)
		it(`refuses ${name} at its path`, async () => {
			const { code, out } = await runLateen(["validate", "-o", "json", "-"], {
				input: rule("bad", spec),
			});
			expect(code).to.equal(1);
			const { valid, problems } = JSON.parse(out);
			expect(valid).to.equal(false);
			expect(
				problems.map((one: { readonly path: string }) => one.path),
			).to.include(path);
			expect(problems[0]).to.include({ file: "<stdin>", severity: "error" });
		});

	it("reports every violation at once", async () => {
		const { out } = await runLateen(["validate", "-o", "json", "-"], {
			input: rule(
				"bad",
				"{destination: {name: reviews}, timeout: '5', retries: {attempts: -2}, timeot: 1s}",
			),
		});
		expect(JSON.parse(out).problems).to.have.length.at.least(3);
	});

	it("warns of what only all files together show, and fails for it only with --strict", async () => {
		const input = rule(
			"dangling",
			"{destination: {name: nowhere}, timeout: 3s}",
		);
		const lenient = await runLateen(["validate", "-"], { input });
		expect(lenient.code).to.equal(0);
		expect(lenient.out).to.match(
			/^<stdin>:1:1: warning: RouteRule default\/dangling: spec\.destination\.name: There is no Service default\/nowhere/,
		);
		const strict = await runLateen(["validate", "--strict", "-"], { input });
		expect(strict.code).to.equal(1);
	});

	it("says the same in JSON and in YAML", async () => {
		const [json, yaml] = await Promise.all(
			["json", "yaml"].map((format) =>
				runLateen(["validate", "-", "-o", format], { input: negative }),
			),
		);
		expect(parse(yaml?.out ?? "")).to.deep.equal(JSON.parse(json?.out ?? ""));
	});

	it("survives a binary file, broken YAML and an empty file", async () => {
		const { code, out } = await withFolder(
			{
				"binary.yaml": new Uint8Array([0, 255, 254, 1, 2, 3]),
				"broken.yaml": "a: [1, 2\nb: {",
				"empty.yaml": "",
			},
			(folder) => runLateen(["validate", folder]),
		);
		expect(code).to.equal(1);
		expect(out).to.include("binary.yaml:1:1");
		expect(out).to.include("broken.yaml:");
		expect(out).not.to.include("empty.yaml");
	});

	it("does not let a file write on the terminal", async () => {
		const { out } = await runLateen(["validate", "-"], {
			input: rule("evil", '{destination: {name: reviews}, "\\e[31mred": 1}'),
		});
		expect(out).not.to.include("\u001b");
	});

	it("exits 2 when there is nothing to check", async () => {
		const none = await runLateen(["validate"]);
		expect(none.code).to.equal(2);
		const gone = await runLateen(["validate", "/nonexistent/x.yaml"]);
		expect(gone.code).to.equal(2);
		expect(gone.err).to.include(
			"There is no file or folder /nonexistent/x.yaml",
		);
	});
});
