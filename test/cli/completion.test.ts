import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "chai";
import { runLateen } from "./run-lateen.ts";

const run = promisify(execFile);

/** What bash offers after these words; the last one is being typed. */
async function offers(script: string, words: readonly string[]) {
	const program = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_lateen
printf '%s\\n' "\${COMPREPLY[@]}"`;
	const { stdout } = await run("bash", ["-c", program], { cwd: "/" });
	return stdout.trim().split("\n");
}

describe("lateen completion", () => {
	it("makes a bash script that completes commands, flags, values and words", async () => {
		const { code, out } = await runLateen(["completion", "bash"]);
		expect(code).to.equal(0);
		expect(await offers(out, ["lateen", "va"])).to.deep.equal(["validate"]);
		expect(await offers(out, ["lateen", "proxies", "--st"])).to.deep.equal([
			"--state-dir",
		]);
		expect(
			await offers(out, ["lateen", "version", "--output", "j"]),
		).to.deep.equal(["json"]);
		expect(await offers(out, ["lateen", "proxy", "x", "clus"])).to.deep.equal([
			"clusters",
		]);
		expect(await offers(out, ["lateen", "get", "rou"])).to.deep.equal([
			"routerules",
		]);
		expect(
			await offers(out, ["lateen", "get", "rr", "--output", "w"]),
		).to.deep.equal(["wide"]);
	});

	for (const shell of ["zsh", "fish"])
		it(`names every command in the script for ${shell}`, async () => {
			const { code, out } = await runLateen(["completion", shell]);
			expect(code).to.equal(0);
			for (const name of [
				"serve",
				"validate",
				"render",
				"proxies",
				"bootstrap",
			])
				expect(out).to.include(name);
			expect(out).to.include("state-dir");
		});
});
