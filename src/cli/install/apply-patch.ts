import { isRecord } from "../../api/fields.ts";

/** One step of a JSON patch (RFC 6902), of those that the overlays use. */
export interface PatchStep {
	readonly op: "add" | "remove" | "replace";
	/** JSON pointer to what is in an object, or to an item that a list has. */
	readonly path: string;
	readonly value?: unknown;
}

/** The value after all steps; what it leads to nowhere is a mistake in the patch. */
export function applyPatch(
	value: unknown,
	steps: readonly PatchStep[],
): unknown {
	return steps.reduce(
		(now, step) =>
			applyStep(now, step.path.split("/").slice(1).map(unescaped), step),
		value,
	);
}

function applyStep(
	value: unknown,
	path: readonly string[],
	step: PatchStep,
): unknown {
	const [name, ...rest] = path;
	if (name === undefined) return step.value;
	if (Array.isArray(value)) {
		const at = Number(name);
		if (!(at < value.length) || (rest.length === 0 && step.op === "add"))
			throw new Error(`${step.op} ${step.path} is not understood`);
		return rest.length === 0 && step.op === "remove"
			? value.toSpliced(at, 1)
			: value.with(at, applyStep(value[at], rest, step));
	}
	const isLast = rest.length === 0;
	if (
		!isRecord(value) ||
		(!Object.hasOwn(value, name) && !(isLast && step.op === "add"))
	)
		throw new Error(`${step.op} ${step.path} leads nowhere`);
	if (!isLast || step.op !== "remove")
		return { ...value, [name]: applyStep(value[name], rest, step) };
	const { [name]: _, ...left } = value;
	return left;
}

function unescaped(part: string): string {
	return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
