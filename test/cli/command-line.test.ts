import { createSecretKey } from "node:crypto";
import { expect } from "chai";
import { parse } from "yaml";
import { listCommands } from "../../src/cli/command-list.ts";
import { runLateen } from "./run-lateen.ts";

const commands = listCommands({
	serve: async () => undefined,
	readTokenKey: async () => createSecretKey(new Uint8Array(32)),
});

describe("lateen", () => {
	for (const { name, summary } of commands)
		it(`explains ${name} with usage and examples`, async () => {
			const [byFlag, byCommand] = await Promise.all([
				runLateen([name, "--help"]),
				runLateen(["help", name]),
			]);
			expect(byFlag.code).to.equal(0);
			expect(byFlag.out).to.equal(byCommand.out);
			expect(byFlag.out).to.include(summary);
			expect(byFlag.out).to.include(`Usage: lateen ${name}`);
			expect(byFlag.out).to.include("Examples:\n  # ");
			expect(byFlag.out).not.to.include("\u001b");
		});

	it("lists every command in its help", async () => {
		const { code, out } = await runLateen(["help"]);
		expect(code).to.equal(0);
		for (const { name } of commands)
			expect(out).to.match(new RegExp(`^  ${name} `, "m"));
	});

	it("shows help and fails when no command is given", async () => {
		const { code, out, err } = await runLateen([]);
		expect(code).to.equal(2);
		expect(out).to.equal("");
		expect(err).to.include("Usage: lateen COMMAND");
	});

	const usageErrors = [
		{
			name: "an unknown command",
			words: ["vaildate"],
			says: 'There is no command "vaildate". Did you mean `lateen validate`?',
		},
		{
			name: "an unknown flag",
			words: ["proxies", "--sate-dir", "x"],
			says: "Did you mean --state-dir?",
		},
		{
			name: "a flag without its value",
			words: ["proxies", "--state-dir"],
			says: "--state-dir needs a value.",
		},
		{
			name: "a value that is not in the list",
			words: ["version", "-o", "jsn"],
			says: "did you mean json?",
		},
		{
			name: "an unknown shell",
			words: ["completion", "tcsh"],
			says: "Name one shell: bash, zsh, fish.",
		},
		{
			name: "an unknown type of resource",
			words: ["proxy", "default/x", "cluster"],
			says: "Did you mean clusters?",
		},
		{
			name: "a proxy that is not named",
			words: ["proxy"],
			says: "`lateen proxies` lists them",
		},
		{
			name: "a server without a source",
			words: ["serve"],
			says: "--source must be given",
		},
		{
			name: "settings that are out of range",
			words: ["serve", "--source=directory:x", "--hold-off-max=2h"],
			says: "at most 1m",
		},
	];
	for (const { name, words, says } of usageErrors)
		it(`refuses ${name} with exit code 2 and says what next`, async () => {
			const { code, out, err } = await runLateen(words);
			expect(code).to.equal(2);
			expect(out).to.equal("");
			expect(err).to.include(says);
			expect(err).to.include("Run `lateen help");
		});

	it("prints its version for people, as JSON and as YAML", async () => {
		const [text, json, yaml] = await Promise.all([
			runLateen(["version"]),
			runLateen(["version", "-o", "json"]),
			runLateen(["version", "--output=yaml"]),
		]);
		expect(text.out).to.match(/^lateen \d+\.\d+\.\d+ /);
		expect(JSON.parse(json.out)).to.have.keys("version", "node");
		expect(parse(yaml.out)).to.deep.equal(JSON.parse(json.out));
	});

	it("colours its help when it is told to, and not under NO_COLOR", async () => {
		const forced = await runLateen(["help"], {
			environment: { FORCE_COLOR: "1" },
		});
		const refused = await runLateen(["help"], {
			environment: { FORCE_COLOR: "1", NO_COLOR: "1" },
		});
		expect(forced.out).to.include("\u001b[1m");
		expect(refused.out).not.to.include("\u001b");
	});

	it("refuses a variable that means nothing, and a bad settings file", async () => {
		const variable = await runLateen(["serve", "--source=directory:x"], {
			environment: { LATEEN_XDS_LISTN: "127.0.0.1:0" },
		});
		expect(variable.code).to.equal(2);
		expect(variable.err).to.include("Did you mean LATEEN_XDS_LISTEN?");
		const file = await runLateen([
			"serve",
			"--config=/nonexistent/lateen.yaml",
		]);
		expect(file.code).to.equal(2);
		expect(file.err).to.include("/nonexistent/lateen.yaml cannot be read");
	});

	it("says what to do when there is no way to an API server", async () => {
		const { code, err } = await runLateen([
			...["serve", "--source=kubernetes"],
			...["--kubeconfig", "/nonexistent/config"],
		]);
		expect(code).to.equal(3);
		expect(err).to.include("/nonexistent/config");
	});

	for (const words of [
		["proxies"],
		["proxy", "default/x", "clusters"],
		["get", "rr"],
		["get", "all", "--watch"],
		["get", "events"],
	])
		it(`says how to start a server when nobody answers \`lateen ${words.join(" ")}\``, async () => {
			const { code, err } = await runLateen([
				...words,
				"--server=unix:/nonexistent/admin.sock",
			]);
			expect(code).to.equal(3);
			expect(err).to.include("Nothing answers at unix:/nonexistent/admin.sock");
			expect(err).to.include("lateen serve --source=directory:PATH");
			expect(err).to.include("--server");
		});
});
