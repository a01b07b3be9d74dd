import { execFile } from "node:child_process";
import {
	mkdtempSync,
	readdirSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { loadPrinter, type Printer } from "../../src/xds/generate/print.ts";
import { staticBootstrap } from "../../src/xds/generate/static-bootstrap.ts";
import { renderProxy } from "../../src/xds/render.ts";
import { readGolden } from "../testkit/golden.ts";

const root = join(import.meta.dirname, "../golden");
const run = promisify(execFile);

describe("real Envoy", function () {
	this.timeout(120_000);
	let envoy: string;
	let print: Printer;
	let folder: string;
	before(async () => {
		envoy = await ensureEnvoy();
		print = await loadPrinter();
		folder = mkdtempSync(join(tmpdir(), "lateen-goldens-"));
	});
	after(() => rmSync(folder, { recursive: true }));

	it("accepts the configuration of every golden", async () => {
		const waiting = readdirSync(root).filter((feature) =>
			statSync(join(root, feature)).isDirectory(),
		);
		const refused: string[] = [];
		let accepted = 0;
		const worker = async () => {
			for (let feature = waiting.pop(); feature; feature = waiting.pop()) {
				const golden = readGolden(root, feature);
				// Envoy has no use for what a gRPC client gets; that client has tests of its own.
				if (golden.proxy.kind === "grpc") continue;
				const rendered = renderProxy(golden.mesh, golden.proxy, "sotw");
				const file = join(folder, `${feature}.json`);
				writeFileSync(file, JSON.stringify(staticBootstrap(rendered, print)));
				try {
					await run(envoy, ["--mode", "validate", "-c", file, "-l", "error"]);
					accepted++;
				} catch (error) {
					refused.push(`${feature}: ${error}`);
				}
			}
		};
		await Promise.all([worker(), worker()]);
		expect(refused.join("\n")).to.equal("");
		expect(accepted).to.be.greaterThan(30);
	});
});
