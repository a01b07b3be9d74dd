import { join } from "node:path";
import { expect } from "chai";
import { type ApplicationsView, Sequence, type Step } from "./sequence.ts";
import { changeKinds, readShape } from "./shape.ts";

const shape = readShape(join(import.meta.dirname, "shapes/default.yaml"));

const applications: ApplicationsView = {
	portOf: () => 1,
	isServing: () => true,
};

/** A step as text, with what it writes. */
function printed(step: Omit<Step, "kind">): string {
	const files = step.files.map(({ file, yaml }) => [
		file,
		yaml?.(applications),
	]);
	return JSON.stringify({ ...step, files });
}

function steps(seed: number, count: number): readonly Step[] {
	const sequence = new Sequence(seed, shape);
	sequence.beginning();
	return Array.from({ length: count }, () => sequence.next());
}

describe("a sequence of changes", () => {
	it("is decided by its seed, and a longer one begins with the shorter", () => {
		const long = steps(5, 300).map(printed);
		expect(long.slice(0, 100)).to.deep.equal(steps(5, 100).map(printed));
		expect(long).not.to.deep.equal(steps(6, 300).map(printed));
	});

	it("has every kind of change that the shape asks for", () => {
		const kinds = new Set(steps(1, 3_000).map(({ kind }) => kind));
		expect(kinds).to.include.all.keys(...changeKinds, "forgetWorkload");
	});

	it("never requests what is withdrawn, nor withdraws what is not requested", () => {
		const sequence = new Sequence(2, shape);
		const open = new Set(sequence.beginning().announce.map(({ id }) => id));
		for (let count = 0; count < 3_000; count++) {
			const { announce, withdraw } = sequence.next();
			for (const id of withdraw) expect(open.delete(id), id).to.equal(true);
			for (const { id } of announce) {
				expect(open.has(id), id).to.equal(false);
				open.add(id);
			}
		}
	});

	it("never has a rule name a version without an endpoint that serves", () => {
		const sequence = new Sequence(3, shape);
		const text = new Map<string, string>();
		const write = ({ files }: Omit<Step, "kind">): void => {
			for (const { file, yaml } of files) {
				if (yaml === undefined) text.delete(file);
				else text.set(file, yaml(applications));
			}
		};
		write(sequence.beginning());
		let named = 0;
		for (let count = 0; count < 1_000; count++) {
			write(sequence.next());
			const serving = new Set<string>();
			for (const one of text.values()) {
				if (!one.includes('"ready":true')) continue;
				const [, app, version] =
					/"app":"([^"]+)","version":"([^"]+)"/.exec(one) ?? [];
				serving.add(`${app} ${version}`);
			}
			for (const one of text.values()) {
				const [, service] = /"destination":\{"name":"([^"]+)"/.exec(one) ?? [];
				if (service === undefined) continue;
				for (const [, version] of one.matchAll(/"version":"([^"]+)"/g)) {
					named += 1;
					expect(serving, one).to.include(`${service} ${version}`);
				}
			}
		}
		expect(named).to.be.above(1_000);
	});
});
