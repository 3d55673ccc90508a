/** Scripts of pages, taken as text: browsers run them, not Node. */
declare module '*.page.js?raw' {
  const text: string;
  export default text;
}
