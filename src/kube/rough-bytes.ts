/** About how many bytes a value takes in memory: enough to tell a large one from a small one. */
export function roughBytes(value: unknown): number {
	switch (typeof value) {
		case "string":
			return 16 + value.length;
		case "object": {
			if (value === null) return 8;
			let bytes = 32;
			if (Array.isArray(value))
				for (const item of value) bytes += 8 + roughBytes(item);
			else
				for (const name in value)
					bytes += 8 + roughBytes(Reflect.get(value, name));
			return bytes;
		}
		default:
			return 8;
	}
}
