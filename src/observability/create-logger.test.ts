import { expect } from "chai";
import { CodedError } from "../lib/coded-error.ts";
import { createLogger } from "./create-logger.ts";
import { LogControl } from "./log-control.ts";
import type { LogLevel } from "./logger.ts";

class DiskFull extends CodedError {
	override readonly name = "DiskFull";
	readonly code = "TEST_DISK_FULL";
	readonly retryable = true;
}

function recorder(format: "json" | "text", level: LogLevel = "info") {
	const lines: string[] = [];
	const logger = createLogger({
		control: new LogControl(level),
		format,
		colours: false,
		destination: { write: (line) => lines.push(line) },
	});
	return { logger, lines };
}

describe("createLogger", () => {
	it("writes one JSON object a line with the message and the fields", () => {
		const { logger, lines } = recorder("json");
		logger.child({ source: "directory" }).info("The source has listed.", {
			objects: 3,
		});
		expect(lines).to.have.length(1);
		expect(JSON.parse(lines[0] ?? "")).to.include({
			level: "info",
			message: "The source has listed.",
			source: "directory",
			objects: 3,
		});
	});

	it("leaves out what is below its level", () => {
		const { logger, lines } = recorder("json", "warn");
		logger.info("Not this.");
		logger.warn("This.");
		expect(lines).to.have.length(1);
	});

	it("replaces secrets in fields, also one level down", () => {
		const { logger, lines } = recorder("json");
		logger.info("A call.", {
			token: "abc123",
			peer: { bearerToken: "abc123" },
		});
		expect(lines[0]).not.to.include("abc123");
		expect(lines[0]).to.include("<redacted>");
	});

	it("shows code and causes of an expected error, and no stack", () => {
		const { logger, lines } = recorder("json");
		const error = new DiskFull("No space.", { cause: new Error("inner") });
		logger.error("Writing failed.", { error });
		const line: unknown = JSON.parse(lines[0] ?? "");
		expect(line).to.have.nested.property("error.code", "TEST_DISK_FULL");
		expect(line).to.have.nested.property("error.cause.message", "inner");
		expect(line).not.to.have.nested.property("error.stack");
	});

	it("writes readable lines for people", () => {
		const { logger, lines } = recorder("text");
		logger.warn("A file is ignored.", { file: "a b.yaml", bytes: 12 });
		expect(lines[0]).to.match(
			/^\d\d:\d\d:\d\d\.\d{3} warn {2}A file is ignored\. file="a b\.yaml" bytes=12\n$/,
		);
	});
});
