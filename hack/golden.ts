/*
 * npm run golden              shows which goldens differ from what is rendered now
 * npm run golden -- --update  rewrites them, deletes orphans, and says what it did
 */
import {
	existsSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { loadPrinter } from "../src/xds/generate/print.ts";
import { renderGolden } from "../test/testkit/golden.ts";
import { renderInjection } from "../test/testkit/golden-injection.ts";

const update = process.argv.includes("--update");
const print = await loadPrinter();
const test = join(import.meta.dirname, "../test");
const kinds = [
	{
		root: join(test, "golden"),
		render: (root: string, feature: string) =>
			renderGolden(root, feature, print),
	},
	{ root: join(test, "golden-injection"), render: renderInjection },
];
const tally = { same: 0, written: 0, deleted: 0 };

for (const { root, render } of kinds) {
	for (const feature of readdirSync(root).sort()) {
		const folder = join(root, feature);
		if (!statSync(folder).isDirectory()) continue;
		if (!existsSync(join(folder, "in.yaml"))) {
			tell("orphan", folder);
			if (update) rmSync(folder, { recursive: true });
			tally.deleted++;
			continue;
		}
		const out = join(folder, "out.yaml");
		const text = render(root, feature);
		if (existsSync(out) && readFileSync(out, "utf8") === text) {
			tally.same++;
			continue;
		}
		tell(existsSync(out) ? "differs" : "new", out);
		if (update) writeFileSync(out, text);
		tally.written++;
	}
}

const verb = update ? "written" : "to write (npm run golden -- --update)";
console.log(
	`${tally.same} same, ${tally.written} ${verb}, ${tally.deleted} ${update ? "orphans deleted" : "orphans"}`,
);
if (!update && tally.written + tally.deleted > 0) process.exitCode = 1;

function tell(what: string, path: string): void {
	console.log(`${what.padEnd(8)} ${relative(process.cwd(), path)}`);
}
