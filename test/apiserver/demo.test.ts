import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "../../hack/demo.ts");

describe("npm run demo -- --kubernetes", function () {
	this.timeout(180_000);

	it("does with kubectl what it invites people to do, and leaves nothing running", async () => {
		using folder = new TemporaryFolder();
		const { stdout } = await run(process.execPath, [
			...[program, "--kubernetes", "--check", "--dir", folder.at("demo")],
			// Where no cluster runs: so it has one of its own.
			...["--cluster", folder.at("none")],
		]);
		expect(stdout).to.include("The demo does what it says.");
		const { stdout: processes } = await run("ps", ["-A", "-o", "args"]);
		expect(processes).not.to.include(folder.path);
	});
});
