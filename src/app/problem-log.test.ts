import { expect } from "chai";
import type { InvalidObject } from "../api/objects.ts";
import type { MeshState } from "../controllers/mesh.ts";
import { WritableSignal } from "../lib/signal.ts";
import { createLogger } from "../observability/create-logger.ts";
import { LogControl } from "../observability/log-control.ts";
import type { FileProblem } from "../sources/file-problem.ts";
import { refKey } from "../store/ref-key.ts";
import { logFileProblems, logProblems } from "./problem-log.ts";

function problem(line: number): FileProblem {
	return {
		severity: "error",
		file: "a.yaml",
		line,
		column: 1,
		message: "It is wrong.",
	};
}

function refused(message: string): ReadonlyMap<string, InvalidObject> {
	const ref = { kind: "RouteRule", namespace: "default", name: "reviews" };
	const violations = [{ path: "spec", message }];
	return new Map([[refKey(ref), { ref, generation: 1, violations }]]);
}

function start() {
	const lines: string[] = [];
	const problems = new WritableSignal<readonly FileProblem[]>([]);
	const stop = logFileProblems(
		problems,
		createLogger({
			control: new LogControl("info"),
			format: "json",
			colours: false,
			destination: { write: (line) => lines.push(line) },
		}),
	);
	return { lines, problems, stop };
}

describe("logFileProblems", () => {
	it("says each problem once, and once that it is gone", () => {
		const { lines, problems } = start();
		problems.set([problem(1)]);
		problems.set([problem(1), problem(2)]);
		problems.set([problem(2)]);
		expect(
			lines.map((line) => {
				const { message, at } = JSON.parse(line);
				return `${at} ${message}`;
			}),
		).to.deep.equal([
			"a.yaml:1:1 A file has a problem.",
			"a.yaml:2:1 A file has a problem.",
			"a.yaml:1:1 A problem of a file is gone.",
		]);
	});

	it("logs no more than fifty lines for one change, and how many there are besides", () => {
		const { lines, problems } = start();
		problems.set(Array.from({ length: 1000 }, (_, index) => problem(index)));
		expect(lines).to.have.length(51);
		expect(JSON.parse(lines[50] ?? "")).to.include({ more: 950 });
	});

	it("says nothing after it was ended", () => {
		const { lines, problems, stop } = start();
		stop();
		problems.set([problem(1)]);
		expect(lines).to.deep.equal([]);
	});
});

describe("logProblems", () => {
	it("says that an object is mended only when it is", () => {
		const lines: string[] = [];
		const invalid = new WritableSignal<ReadonlyMap<string, InvalidObject>>(
			new Map(),
		);
		const mesh = new WritableSignal<MeshState>({
			mesh: undefined,
			findings: [],
			objects: undefined,
			builds: 0,
			failure: undefined,
		});
		logProblems(
			{ invalid, mesh, placeOf: () => undefined },
			createLogger({
				control: new LogControl("info"),
				format: "json",
				colours: false,
				destination: { write: (line) => lines.push(line) },
			}),
		);
		invalid.set(refused("One thing."));
		invalid.set(refused("Another thing."));
		invalid.set(new Map());
		expect(lines.map((line) => JSON.parse(line).problem)).to.deep.equal([
			"One thing.",
			"Another thing.",
			undefined,
		]);
		expect(lines[2]).to.include("An object is no longer refused.");
	});
});
