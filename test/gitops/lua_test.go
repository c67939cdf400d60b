// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// run runs a script as Argo CD does where its libraries are not opened: with the basic functions and those of tables,
// for a second at most.
func run(script string, object map[string]any, parameters map[string]any) (any, error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", toLua(l, object))
	l.SetGlobal("actionParams", toLua(l, parameters))
	if err := l.DoString(script); err != nil {
		return nil, err
	}
	return fromLua(l.Get(-1))
}

func toLua(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		table := l.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(toLua(l, item))
		}
		return table
	case map[string]any:
		table := l.CreateTable(0, len(v))
		for name, item := range v {
			table.RawSetString(name, toLua(l, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// fromLua makes of a table with numbers for keys a list, and of an empty one as well, as Argo CD does.
func fromLua(value lua.LValue) (any, error) {
	switch v := value.(type) {
	case lua.LBool:
		return bool(v), nil
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		if float64(v) == float64(int64(v)) {
			return int64(v), nil
		}
		return float64(v), nil
	case *lua.LTable:
		return fromTable(v)
	default:
		return nil, fmt.Errorf("a script returns %s", value.Type())
	}
}

func fromTable(table *lua.LTable) (any, error) {
	var (
		list   = []any{}
		fields = map[string]any{}
		fault  error
	)
	table.ForEach(func(key, item lua.LValue) {
		converted, err := fromLua(item)
		if err != nil {
			fault = err
			return
		}
		if name, ok := key.(lua.LString); ok {
			fields[string(name)] = converted
		} else {
			list = append(list, converted)
		}
	})
	switch {
	case fault != nil:
		return nil, fault
	case len(fields) > 0 && len(list) > 0:
		return nil, fmt.Errorf("a table has both names and numbers for keys")
	case len(fields) > 0:
		return fields, nil
	default:
		return list, nil
	}
}
