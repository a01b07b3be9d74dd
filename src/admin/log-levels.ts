import type { HttpRequest, HttpResponse } from "../lib/handler.ts";
import type { LogControl } from "../observability/log-control.ts";
import {
	type LogLevel,
	type LogPart,
	logLevels,
	logParts,
} from "../observability/logger.ts";
import { failure, json, jsonType } from "./answers.ts";

/** What is to change; a part whose level is undefined gets that of all others. */
interface LevelChange {
	readonly level: LogLevel | undefined;
	readonly own: ReadonlyMap<LogPart, LogLevel | undefined>;
}

/** `/v1/log-levels`: shows what the log lets through, and changes it. */
export function logLevelsAnswer(
	{ method, body }: HttpRequest,
	logs: LogControl,
): HttpResponse {
	switch (method) {
		case "GET":
		case "HEAD":
			return json(200, levelsBody(logs));
		case "PUT": {
			const change = parseChange(body);
			if (typeof change === "string") return failure(400, change);
			if (change.level !== undefined) logs.setLevel(change.level);
			for (const [part, level] of change.own) logs.setOwn(part, level);
			return json(200, levelsBody(logs));
		}
		default:
			return {
				...failure(405, "Levels of the log are read by GET and set by PUT."),
				headers: { allow: "GET, HEAD, PUT", "content-type": jsonType },
			};
	}
}

function levelsBody(logs: LogControl): unknown {
	return {
		default: logs.level,
		parts: Object.fromEntries(
			logParts.map((part) => [part, logs.own.get(part) ?? null]),
		),
	};
}

/** What a body asks for, or in a sentence why it cannot be done; then nothing is changed. */
function parseChange(body: Uint8Array): LevelChange | string {
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(body).toString("utf8"));
	} catch {
		return 'The body must be JSON, such as {"parts": {"xds": "debug"}}.';
	}
	const fields = fieldsOf(value);
	const parts = fieldsOf(fields?.["parts"] ?? {});
	if (fields === undefined || parts === undefined)
		return 'The body must be an object such as {"default": "info", "parts": {"xds": "debug"}}.';
	const strange = Object.keys(fields).find(
		(name) => name !== "default" && name !== "parts",
	);
	if (strange !== undefined)
		return `There is no field ${JSON.stringify(strange)}, only default and parts.`;
	const level = fields["default"];
	if (level !== undefined && !isLevel(level)) return noLevel(level);
	const own = new Map<LogPart, LogLevel | undefined>();
	for (const [name, wanted] of Object.entries(parts)) {
		const part = logParts.find((one) => one === name);
		if (part === undefined)
			return `There is no part ${JSON.stringify(name)}. There are: ${logParts.join(", ")}.`;
		if (wanted === null) own.set(part, undefined);
		else if (isLevel(wanted)) own.set(part, wanted);
		else return noLevel(wanted);
	}
	return { level, own };
}

function noLevel(value: unknown): string {
	return `${JSON.stringify(value)} is no level. There are: ${logLevels.join(", ")}.`;
}

function isLevel(value: unknown): value is LogLevel {
	return logLevels.some((level) => level === value);
}

function fieldsOf(
	value: unknown,
): Readonly<Record<string, unknown>> | undefined {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? { ...value }
		: undefined;
}
