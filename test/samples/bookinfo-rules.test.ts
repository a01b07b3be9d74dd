import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { printWorkloadObjects, WORKLOADS } from "../../hack/demo/workloads.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

describe("the rules of bookinfo", () => {
	let dir: string;

	before(async () => {
		dir = await mkdtemp(join(tmpdir(), "lateen-bookinfo-"));
		await cp(join(ROOT, "samples/bookinfo"), dir, { recursive: true });
		for (const [index, workload] of WORKLOADS.entries()) {
			const first = 20_000 + index * 3;
			await writeFile(
				join(dir, `${workload.name}.yaml`),
				printWorkloadObjects(workload, {
					application: first,
					inbound: first + 1,
					outbound: first + 2,
				}),
			);
		}
	});

	after(async () => {
		await rm(dir, { recursive: true, force: true });
	});

	it("are valid, and all that they name exists in the demo", async () => {
		const { stdout, stderr } = await run(process.execPath, [
			...[join(ROOT, "src/main.ts"), "validate", dir],
		]);
		expect(`${stderr}${stdout}`.trim()).to.match(
			/^\d+ objects valid, 0 refused; 0 violations, 0 warnings\.$/,
		);
	});
});
