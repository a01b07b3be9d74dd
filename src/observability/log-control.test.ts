import { expect } from "chai";
import { createLogger } from "./create-logger.ts";
import { LogControl } from "./log-control.ts";

function bench() {
	const control = new LogControl("info");
	const lines: string[] = [];
	const logger = createLogger({
		control,
		format: "text",
		colours: false,
		destination: { write: (line) => lines.push(line) },
	});
	return { control, logger, lines };
}

describe("LogControl", () => {
	it("changes what loggers write that were made before", () => {
		const { control, logger, lines } = bench();
		const xds = logger.child({ part: "xds" }).child({ proxy: "a" });
		const mesh = logger.child({ part: "mesh" });
		xds.debug("One.");
		control.setOwn("xds", "debug");
		xds.debug("Two.");
		mesh.debug("Three.");
		control.setOwn("xds", undefined);
		xds.debug("Four.");
		control.setLevel("debug");
		for (const one of [xds, mesh, logger]) one.debug("Five.");
		control.setOwn("mesh", "error");
		mesh.warn("Six.");
		mesh.error("Seven.");
		expect(lines.map((line) => /[A-Z]\w+\./.exec(line)?.[0])).to.deep.equal([
			...["Two.", "Five.", "Five.", "Five.", "Seven."],
		]);
	});

	it("counts the lines that were written", () => {
		const { control, logger } = bench();
		logger.debug("Not this.");
		logger.info("This.");
		logger.error("And this.");
		logger.error("And this.");
		expect([...control.lines]).to.deep.equal([
			["debug", 0],
			["info", 1],
			["warn", 0],
			["error", 2],
		]);
	});
});
